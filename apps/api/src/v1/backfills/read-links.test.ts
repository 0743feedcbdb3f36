import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { type LinkText, type ListType, readLinks } from "./read-links.ts";

async function read(type: ListType, ...pieces: (string | Buffer)[]): Promise<LinkText[]> {
  const body = Readable.from(pieces.map((piece) => Buffer.from(piece)));
  const all: LinkText[] = [];
  for await (const links of readLinks(body, type)) all.push(...links);
  return all;
}

describe("readLinks", () => {
  it("reads plain lines, whatever their ends", async () => {
    expect(await read("text/plain", "a\nb\r\n\n  c  \n")).toEqual(["a", "b", "c"]);
  });

  it("puts together a line and a character that arrive in pieces", async () => {
    const text = Buffer.from("first\nsé cond\nthird");
    const pieces = Array.from(text, (byte) => Buffer.from([byte]));
    expect(await read("text/plain", ...pieces)).toEqual(["first", "sé cond", "third"]);
  });

  it("holds no more of an endless line than it would accept", async () => {
    const piece = "x".repeat(1_000_000);
    expect(await read("text/plain", "a\n", piece, piece, "\nb")).toEqual(["a", null, "b"]);
  });

  it("reads NDJSON of strings and objects, and nothing else", async () => {
    const lines = ['"a"', '{"url":"b","x":1}', "{}", "[]", "1", '{"url":2}', "{broken", '"c"'];
    const expected = ["a", "b", null, null, null, null, null, "c"];
    expect(await read("application/x-ndjson", lines.join("\n"))).toEqual(expected);
  });

  it("finds the column of a CSV by its name, behind a byte order mark and quoted line breaks", async () => {
    const csv = '\ufefftitle,"URL"\n"a, b\nc",one\n"say ""hi""","two"\nshort\n,\n';
    expect(await read("text/csv", csv)).toEqual(["one", "two", null, null]);
  });

  it.each([
    ["names no column url", "link,title\na,b\n"],
    ["cannot be parsed", 'url\n"a\n'],
    ["holds one endless field", `url\n"${"x".repeat(200_000)}`],
  ])("refuses a CSV that %s", async (_what, csv) => {
    await expect(read("text/csv", csv)).rejects.toMatchObject({ code: "invalid_request" });
  });

  it.each(["text/plain", "text/csv"] as const)(
    "passes on that an upload of %s broke off, without its last piece",
    async (type) => {
      async function* broken() {
        yield Buffer.from("url\na\nhalf");
        throw new Error("aborted");
      }
      const seen: LinkText[] = [];
      const reading = (async () => {
        for await (const links of readLinks(Readable.from(broken()), type)) seen.push(...links);
      })();
      await expect(reading).rejects.toThrow("aborted");
      expect(seen).not.toContain("half");
    },
  );

  it("reads an empty list", async () => {
    expect(await read("text/plain", "")).toEqual([]);
    expect(await read("text/csv", "")).toEqual([]);
  });
});
