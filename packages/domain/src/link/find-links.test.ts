import { describe, expect, test } from "vitest";
import { findLinks } from "./find-links.ts";

const [A, B, C] = ["7100000000000000101", "7100000000000000102", "7100000000000000103"];
const toUrl = (id: string) => `https://www.tiktok.com/@demo_a/video/${id}`;

/** The ids and short links that were found, and the reasons of what is none. */
const read = (text: string) =>
  findLinks(text).map((found) =>
    found.kind === "post" ? found.awemeId : found.kind === "short" ? found.url : found.reason,
  );

describe("the links of a line", () => {
  test.each([
    ["one", toUrl(A), [A]],
    ["one in words", `so good: ${toUrl(A)} #fyp`, [A]],
    ["several with spaces", `${toUrl(A)} ${toUrl(B)}\t${toUrl(C)}`, [A, B, C]],
    ["several with commas", `${toUrl(A)},${toUrl(B)}, ${toUrl(C)},`, [A, B, C]],
    ["several with semicolons and pipes", `${toUrl(A)};${toUrl(B)}|${toUrl(C)}`, [A, B, C]],
    ["several in quotes", `"${toUrl(A)}", "${toUrl(B)}"`, [A, B]],
    ["several without a scheme", `www.tiktok.com/@a/video/${A},tiktok.com/@b/video/${B}`, [A, B]],
    ["ids", `${A} ${B},${C}`, [A, B, C]],
    ["a numbered id", `3. ${A}`, [A]],
    ["an id kept from a spreadsheet", `="${A}"`, [A]],
    ["an id behind an apostrophe", `'${A}`, [A]],
    ["a row of a table", `${toUrl(A)};Soup day;12`, [A]],
    ["a row with another number", `12\t${toUrl(A)}\t6812345678901234567`, [A]],
    ["a Markdown link", `[${toUrl(A)}](${toUrl(A)})`, [A]],
    ["an anchor", `<a href="${toUrl(A)}">${toUrl(A)}</a>`, [A]],
    [
      "short links",
      "https://vm.tiktok.com/ZMa/ https://lite.tiktok.com/t/ZSb/",
      ["https://vm.tiktok.com/ZMa/", "https://lite.tiktok.com/t/ZSb/"],
    ],
    [
      "a link that is shared with an advertisement",
      `${toUrl(A)} Get https://www.tiktok.com/tiktoklite now`,
      [A],
    ],
  ])("reads %s", (_what, text, links) => {
    expect(read(text)).toEqual(links);
  });

  test("among links alone, one that is none is told", () => {
    const [first, second, third] = read(`${toUrl(A)} ${toUrl("7100")} ${toUrl(B)}`);
    expect([first, third]).toEqual([A, B]);
    expect(second).toMatch(/15 to 20 digits/);
  });

  test.each([
    ["# comment", /no TikTok link/],
    ["https://www.tiktok.com/@demo_a", /a profile/],
    ["https://www.instagram.com/reel/abc/", /www\.instagram\.com is not a TikTok host/],
    ["7.10000000000000E+18", /spreadsheet has rounded/],
    ["7,1E+18", /spreadsheet has rounded/],
    ["see 6812345678901234567 or 6812345678901234568", /no TikTok link/],
    ["", /no TikTok link/],
    [",;|", /no TikTok link/],
    [`${toUrl(A)}\u0000`, /control characters/],
  ])("%j is one invalid link with its reason", (text, reason) => {
    expect(read(text)).toEqual([expect.stringMatching(reason)]);
  });
});

test("the work grows with the text and not with its square", () => {
  const runs = [" ", ",", ";", `,${A}`, "https://", ",tiktok", "a.", ",[(", "|", `'"`, "1", "%25"];
  for (const run of runs) {
    const [short, long] = [4_000, 32_000].map((length) => {
      const text = run.repeat(length / run.length);
      const startedAt = process.cpuUsage();
      findLinks(text);
      return process.cpuUsage(startedAt).user / 1_000;
    });
    // Eight times the text: a quadratic pattern takes 64 times as long.
    expect(long).toBeLessThan(Math.max(60, 30 * (short ?? 0)));
  }
});
