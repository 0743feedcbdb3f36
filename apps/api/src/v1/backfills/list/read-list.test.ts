import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { ListItem } from "./list-item.ts";
import type { ListFormat } from "./list-types.ts";
import { readList } from "./read-list.ts";

const IDS = ["7100000000000000101", "7100000000000000102", "7100000000000000103"];
const LINKS = IDS.map((id) => `https://www.tiktok.com/@demo_a/video/${id}`);
const [A, B, C] = LINKS;

/** The ids that were found, and `line: reason` of what is none. */
async function read(format: ListFormat, ...pieces: (string | Buffer)[]): Promise<string[]> {
  const body = Readable.from(pieces.map((piece) => Buffer.from(piece)));
  const items: ListItem[] = [];
  for await (const some of readList(body, { format, charset: null })) items.push(...some);
  return items.map((item) =>
    "reason" in item
      ? `${item.line}: ${item.reason}`
      : item.link.kind === "post"
        ? item.link.awemeId
        : item.link.url,
  );
}

const utf16 = (text: string) => Buffer.from(text, "utf16le");
const toBytes = (content: string | Buffer) =>
  Array.from(Buffer.from(content), (byte) => Buffer.from([byte]));

describe("plain lines", () => {
  it.each([
    ["of Unix", `${A}\n${B}\n${C}\n`],
    ["of Windows", `${A}\r\n${B}\r\n${C}`],
    ["of old Macs", `${A}\r${B}\r${C}\r`],
    ["of all three", `${A}\r\n${B}\r${C}\n`],
    ["of a mainframe", `${A}\u0085${B}\u0085${C}`],
    ["with blanks between", `\n\n  ${A}\n\t\n${B}  \n\n${C}\n\n`],
    ["with several links on one", `${A} ${B}\t${C}`],
    ["with commas between the links", `${A}, ${B},${C}`],
    ["with a byte order mark", `\ufeff${A}\n${B}\n${C}`],
    ["in UTF-16", utf16(`\ufeff${A}\r\n${B}\r\n${C}\r\n`)],
    ["in UTF-16 without a mark", utf16(`${A}\r\n${B}\r\n${C}\r\n`)],
    ["in UTF-16 the other way round", utf16(`\ufeff${A}\n${B}\n${C}`).swap16()],
    ["with comments", `# my list\n${A}\n#${B}\n## old\n#\n${B}\n# ${C}\n${C}`],
    ["with hashtags", `#fyp #foryou ${A}\n${B}\n#coffee ${C}`],
    ["with a separator for Excel", `sep=;\n${A};x\n${B};x\n${C};x`],
    ["in a compressed file", gzipSync(`${A}\n${B}\n${C}`)],
    ["in quotes", `"${A}"\n'${B}'\n“${C}”`],
    ["as Markdown", `- ${A}\n* [two](${B})\n1. <${C}>`],
    ["as an array", JSON.stringify(LINKS)],
  ])("%s are read, in pieces of any size", async (_what, content) => {
    expect(await read("lines", content)).toEqual(IDS);
    expect(await read("lines", ...toBytes(content))).toEqual(IDS);
  });

  it("are named by their number where they hold no link", async () => {
    const list = `${A}\n# comment\nhttps://www.tiktok.com/@demo_a\r\nhttps://www.instagram.com/reel/abc/\n\nhello\n${B}`;
    expect(await read("lines", list)).toEqual([
      IDS[0],
      expect.stringMatching(/^3: .*a profile/),
      expect.stringMatching(/^4: www\.instagram\.com is not a TikTok host/),
      expect.stringMatching(/^6: no TikTok link/),
      IDS[1],
    ]);
  });

  it("without an end take no memory, and are told to be too long", async () => {
    const piece = "x".repeat(1_000_000);
    expect(await read("lines", `${A}\n`, piece, piece, `\n${B}`)).toEqual([
      IDS[0],
      "2: it is longer than 10000 characters",
      IDS[1],
    ]);
  });
});

describe("CSV", () => {
  it.each([
    ["with a column url", `title,url\nx,${A}\ny,${B}\nz,${C}\n`],
    ["with a column in capitals", `URL,title\n${A},x\n${B},x\n${C},x`],
    ["with a Video Link", `Video Link,title\n${A},x\n${B},x\n${C},x`],
    ["with a TikTok URL", `name;TikTok URL\nx;${A}\nx;${B}\nx;${C}`],
    ["with links under another name", `clip,note\n${A},x\n${B},\n${C},x`],
    ["without names", `${A},x\n${B},x\n${C},x`],
    ["with ids", `video_id,n\n${IDS[0]},1\n${IDS[1]},2\n${IDS[2]},3`],
    ["with one column", `url\n${A}\n${B}\n${C}`],
    ["with semicolons", `url;title\n${A};x\n${B};x\n${C};x`],
    ["with tabs", `title\turl\tn\nx\t${A}\t\n\t${B}\t1\nx\t${C}\t1`],
    ["with pipes", `title|url\nx|${A}\nx|${B}\nx|${C}`],
    ["with a line for Excel", `sep=,\r\nurl,title\r\n${A},x\r\n${B},x\r\n${C},x`],
    ["with a line for Excel and semicolons", `sep=;\nurl;title\n${A};x\n${B};x\n${C};x`],
    ["with quoted line breaks", `title,url\n"two\nlines, ""quoted""",${A}\n"a\r\nb",${B}\nx,${C}`],
    ["with stray quotes", `title,url\nx,${A}\nhe said "wow" and left,${B}\n"wow" he said,${C}`],
    ["with a comma too many", `title,url\nx,${A}\nSoup, bread and more,${B}\nx,${C}`],
    ["with mixed line ends", `url,title\r\n${A},x\n${B},x\r${C},x`],
    ["of Excel on Windows", utf16(`\ufeffurl\ttitle\r\n${A}\tx\r\n${B}\tx\r\n${C}\tx\r\n`)],
    ["with empty rows at its end", `url,title\n${A},x\n${B},x\n${C},x\n,\n,\n\n`],
    ["in Latin-1", Buffer.from(`title,url\nCaf\u00e9,${A}\nx,${B}\nx,${C}`, "latin1")],
    [
      "with the creator's link beside it",
      `link,url\nhttps://www.tiktok.com/@a,${A}\nx,${B}\nx,${C}`,
    ],
    [
      "with a url that is another one",
      `url,video\nhttps://x.io/1.jpg,${A}\nhttps://x.io/2.jpg,${B}\n,${C}`,
    ],
  ])("%s is read, in pieces of any size", async (_what, content) => {
    expect(await read("csv", content)).toEqual(IDS);
    expect(await read("csv", ...toBytes(content))).toEqual(IDS);
  });

  it("names the rows whose cell is no link", async () => {
    const csv = `title,url\n"a\nb",${A}\nx,\nx,hello\nshort\nx,7.10000000000000E+18\nx,"=""${IDS[1]}"""\nx,'${IDS[2]}`;
    expect(await read("csv", csv)).toEqual([
      IDS[0],
      "4: the column with the links is empty in this row",
      expect.stringMatching(/^5: no TikTok link/),
      "6: the column with the links is empty in this row",
      expect.stringMatching(/^7: a spreadsheet has rounded/),
      IDS[1],
      IDS[2],
    ]);
  });

  it("reads a table of rounded ids, and tells of each", async () => {
    const rounded = "7.1E+18";
    expect(await read("csv", `url\n${rounded}\n${rounded}\n`)).toHaveLength(2);
  });

  it("tells of rows that a quote took in", async () => {
    const csv = `title,url\nx,${A}\n"5 inch,${A}\nx,${B}\ny",${C}\nx,${B}\n`;
    expect(await read("csv", csv)).toEqual([
      IDS[0],
      IDS[2],
      expect.stringMatching(/^3: a quote that opens in this row/),
      IDS[1],
    ]);
  });

  it.each([
    ["names no column with links", "link text,a\nx,b\n", /no column holds.*“link text”, “a”.*url/],
    [
      "has two columns that may be meant",
      `old,new\n${A},${B}\n`,
      /more than one column.*“old”, “new”/,
    ],
    [
      "opens a quote that is never closed",
      `url\n${A}\n"${B}\n${C}\n`,
      /begins in line 3 is not closed/,
    ],
    ["holds one endless cell", `url\n"${"x".repeat(200_000)}`, /begins in line 2 is not closed/],
  ])("that %s is refused with the line", async (_what, csv, words) => {
    await expect(read("csv", csv)).rejects.toMatchObject({
      fault: { status: 400, code: "invalid_request", detail: expect.stringMatching(words) },
    });
  });
});

describe("JSON", () => {
  it.each([
    ["strings, one a line", LINKS.map((link) => JSON.stringify(link)).join("\n")],
    ["objects, one a line", LINKS.map((url) => JSON.stringify({ n: 1, url })).join("\r\n")],
    [
      "objects with another name",
      LINKS.map((url) => `{"a":"x","webVideoUrl":"${url}"}`).join("\n"),
    ],
    ["objects with a name of their own", LINKS.map((url) => `{"clip":"${url}","x":1}`).join("\n")],
    ["ids as numbers", IDS.map((id) => `{"id":${id}}`).join("\n")],
    ["bare ids", IDS.join("\n")],
    ["behind a byte order mark", `\ufeff${LINKS.map((url) => JSON.stringify({ url })).join("\n")}`],
    ["one array", JSON.stringify(LINKS)],
    [
      "an array over lines",
      JSON.stringify(
        LINKS.map((url) => ({ url })),
        null,
        2,
      ),
    ],
    ["an object around an array", JSON.stringify({ urls: LINKS })],
    ["one link", JSON.stringify({ url: LINKS.join(" ") })],
    ["UTF-16", utf16(`\ufeff${JSON.stringify(LINKS)}`)],
    ["arrays, one a line", LINKS.map((link) => `["${link}"]`).join("\n")],
    ["rows of cells", JSON.stringify(LINKS.map((link, n) => [n, link]))],
  ])("%s is read whatever its type, in pieces of any size", async (_what, content) => {
    for (const format of ["ndjson", "json"] as const) {
      expect(await read(format, content)).toEqual(IDS);
      expect(await read(format, ...toBytes(content))).toEqual(IDS);
    }
  });

  it("names the lines that hold no link", async () => {
    const lines = [
      `"${A}"`,
      "{}",
      "[]",
      "1",
      '{"url":2}',
      "{broken",
      "null",
      '{"url":7.1E+18}',
      `"${B}"`,
    ];
    expect(await read("ndjson", lines.join("\n"))).toEqual([
      IDS[0],
      expect.stringMatching(/^2: no field of it is a link/),
      expect.stringMatching(/^4: no TikTok link/),
      expect.stringMatching(/^5: no TikTok link/),
      "6: it is not JSON",
      expect.stringMatching(/^7: /),
      expect.stringMatching(/^8: a spreadsheet has rounded/),
      IDS[1],
    ]);
  });

  it("is no prey for names that mean something to JavaScript, nor for depth", async () => {
    const nasty = [
      `{"__proto__":{"url":"${A}"}}`,
      '{"constructor":"x"}',
      "[".repeat(5_000),
      `{"url":"\\ud800"}`,
      `{"url":"\\u0000"}`,
    ];
    expect(await read("ndjson", nasty.join("\n"))).toHaveLength(5);
    await expect(read("json", "[".repeat(500_000))).resolves.toHaveLength(1);
  });

  it("that is an array without end is refused, with what to send instead", async () => {
    const endless = [`["${A}"`, ...Array.from({ length: 17 }, () => `,"${"x".repeat(1_000_000)}"`)];
    await expect(read("json", ...endless)).rejects.toMatchObject({
      fault: { status: 413, detail: expect.stringMatching(/application\/x-ndjson/) },
    });
  });
});

it.each(["lines", "csv", "ndjson", "json"] as const)(
  "passes on that an upload of %s broke off, without its last piece",
  async (format) => {
    async function* broken() {
      yield Buffer.from(`${A}\n${B}\n`.repeat(30) + "https://www.tiktok.com/@a/video/71");
      throw new Error("aborted");
    }
    const seen: ListItem[] = [];
    const reading = (async () => {
      const body = Readable.from(broken());
      for await (const items of readList(body, { format, charset: null })) seen.push(...items);
    })();
    await expect(reading).rejects.toThrow("aborted");
    expect(seen.filter(({ line }) => line > 60)).toEqual([]);
  },
);

it.each(["lines", "csv", "ndjson", "json"] as const)(
  "reads an empty list of %s",
  async (format) => {
    expect(await read(format, "")).toEqual([]);
    expect(await read(format, "\ufeff \r\n\r\n")).toEqual([]);
  },
);
