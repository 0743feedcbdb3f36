import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { describe, expect, test } from "vitest";
import { readBodyText } from "./body-text.ts";

const TEXT = '{"title":"Café 🍅 naïve"}';
const plain = Buffer.from(TEXT);

async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5) yield bytes.subarray(at, at + 5);
}
const read = (bytes: Buffer, headers: Record<string, string | string[]> = {}, maxBytes = 10_000) =>
  readBodyText(inPieces(bytes), headers, { maxBytes });

test.each<[what: string, bytes: Buffer, headers: Record<string, string | string[]>]>([
  ["as it is", plain, {}],
  ["with a byte order mark", Buffer.from(`\ufeff${TEXT}`), {}],
  ["in gzip", gzipSync(plain), { "content-encoding": "gzip" }],
  ["in gzip that no header tells of", gzipSync(plain), {}],
  ["with a header of gzip that is not true", plain, { "content-encoding": "gzip" }],
  ["in deflate", deflateSync(plain), { "content-encoding": "Deflate" }],
  ["in deflate without its header", deflateRawSync(plain), { "content-encoding": "deflate" }],
  ["in brotli", brotliCompressSync(plain), { "content-encoding": "br" }],
  ["in zstd", zstdCompressSync(plain), { "content-encoding": "zstd" }],
  ["packed twice", gzipSync(deflateSync(plain)), { "content-encoding": "deflate, gzip" }],
  ["in UTF-16", Buffer.from(`\ufeff${TEXT}`, "utf16le"), {}],
  ["with an unknown charset", plain, { "content-type": "application/json; charset=klingon" }],
])("a body %s is read", async (_what, bytes, headers) => {
  expect(await read(bytes, headers)).toBe(TEXT);
});

test("a body in Latin-1 is read where its type says so", async () => {
  const headers = { "content-type": 'application/json; charset="ISO-8859-1"' };
  expect(await read(Buffer.from("Café", "latin1"), headers)).toBe("Café");
});

describe("a body that is given up", () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));

  test.each<[what: string, bytes: Buffer, headers: Record<string, string>, reason: string]>([
    ["is too long", Buffer.alloc(11_000, 32), {}, "too_long"],
    ["becomes too long", bomb.subarray(0, 9_000), { "content-encoding": "gzip" }, "too_long"],
    ["is cut off in gzip", gzipSync(plain).subarray(0, 20), {}, "encoding"],
    ["is no brotli", plain, { "content-encoding": "br" }, "encoding"],
    ["is packed in an unknown way", plain, { "content-encoding": "compress" }, "encoding"],
    [
      "is packed nine times",
      plain,
      { "content-encoding": Array(9).fill("gzip").join() },
      "encoding",
    ],
  ])("%s", async (_what, bytes, headers, reason) => {
    await expect(read(bytes, headers)).rejects.toMatchObject({ reason });
  });
});
