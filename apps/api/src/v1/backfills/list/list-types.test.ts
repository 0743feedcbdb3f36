import { Readable } from "node:stream";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { ListItem } from "./list-item.ts";
import { findCharset, type ListFormat, toListFormat } from "./list-types.ts";
import { readList } from "./read-list.ts";

const LINKS = ["7100000000000000101", "7100000000000000102"].map(
  (id) => `https://www.tiktok.com/@demo_a/video/${id}`,
);
const [A, B] = LINKS;

async function readItems(
  format: ListFormat,
  pieces: readonly (string | Buffer)[],
  charset: string | null = null,
): Promise<ListItem[]> {
  const body = Readable.from(pieces.map((piece) => Buffer.from(piece)));
  const all: ListItem[] = [];
  for await (const items of readList(body, { format, charset })) all.push(...items);
  return all;
}

describe("what is no list", () => {
  it.each([
    [
      "an Excel workbook",
      Buffer.concat([Buffer.from("504b0304", "hex"), Buffer.alloc(2_000)]),
      /XLSX/,
    ],
    ["an old workbook", Buffer.from("d0cf11e0a1b11ae1", "hex"), /XLS/],
    ["a PDF", Buffer.from("%PDF-1.7"), /PDF/],
    ["a page", Buffer.from("\n <!DOCTYPE html><html></html>"), /HTML/],
    ["a program", Buffer.concat([Buffer.from("7f454c46", "hex"), Buffer.alloc(500)]), /no text/],
    ["UTF-32", Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), /charset/],
  ])("%s is refused with what would be accepted", async (_what, content, words) => {
    for (const format of ["lines", "csv", "ndjson", "json"] as const) {
      await expect(readItems(format, [content])).rejects.toMatchObject({
        fault: { status: 415, detail: expect.stringMatching(words) },
      });
      await expect(readItems(format, [content])).rejects.toThrow(/text\/plain.*text\/csv.*ndjson/);
    }
  });

  it("a compressed file that is cut off or a bomb is refused", async () => {
    const file = gzipSync(LINKS.join("\n"));
    await expect(readItems("lines", [file.subarray(0, -12)])).rejects.toThrow(/cut off/);
    await expect(readItems("lines", [gzipSync(Buffer.alloc(40_000_000, 10))])).rejects.toThrow(
      /times its size/,
    );
  });

  it("other compressions are no text", async () => {
    const items = await readItems("lines", [brotliCompressSync(LINKS.join("\n"))]);
    expect(items.every((item) => "reason" in item)).toBe(true);
  });
});

describe("the type of a list", () => {
  it.each([
    ["text/plain; charset=utf-8", "lines"],
    ["TEXT/CSV;header=present", "csv"],
    ["application/vnd.ms-excel", "csv"],
    ["text/tab-separated-values", "csv"],
    ["application/jsonl", "ndjson"],
    ["application/json", "json"],
    ["application/octet-stream", "lines"],
    [undefined, "lines"],
  ])("%s is read as %s", (type, format) => {
    expect(toListFormat(type)).toBe(format);
  });

  it.each([
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text/html",
    "image/png",
  ])("%s is refused with what would be accepted", (type) => {
    expect(() => toListFormat(type)).toThrow(/text\/plain.*text\/csv.*ndjson.*json/);
  });

  it("may name a charset, which is used where the text tells none", async () => {
    expect(findCharset('text/csv; charset="Windows-1252"; header=present')).toBe("windows-1252");
    expect(findCharset("text/csv")).toBeNull();
    const cells = Buffer.from(`${A} caf\u00e9\n`, "latin1");
    expect(await readItems("lines", [cells], "windows-1252")).toHaveLength(1);
    expect(await readItems("lines", [`${A}\n${B}`], "utf-16")).toHaveLength(2);
    await expect(readItems("lines", [cells], "ebcdic")).rejects.toMatchObject({
      fault: { status: 415 },
    });
  });
});
