import { expect, test } from "vitest";
import { decodeText, findEncoding } from "./text-encoding.ts";

const TEXT = '{"title":"Café 🍅"}';
const toBigEndian = (text: string) => Buffer.from(text, "utf16le").swap16();

test.each([
  ["UTF-8", Buffer.from(TEXT)],
  ["UTF-8 with a mark", Buffer.from(`\ufeff${TEXT}`)],
  ["UTF-16 of Windows with a mark", Buffer.from(`\ufeff${TEXT}`, "utf16le")],
  ["UTF-16 of Windows without", Buffer.from(TEXT, "utf16le")],
  ["UTF-16 the other way round with a mark", toBigEndian(`\ufeff${TEXT}`)],
  ["UTF-16 the other way round without", toBigEndian(TEXT)],
])("%s is read as it was meant", (_what, bytes) => {
  expect(decodeText(bytes)).toBe(TEXT);
});

test("what tells nothing is left to the caller, and UTF-32 is told", () => {
  expect(findEncoding(Buffer.from("ab"))).toBeNull();
  expect(findEncoding(Buffer.alloc(0))).toBeNull();
  expect(findEncoding(Buffer.alloc(100))).toBeNull();
  expect(findEncoding(Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]))).toBe("utf-32");
});
