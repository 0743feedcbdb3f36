import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCaptions } from "./parse-captions.ts";

describe("captions", () => {
  test("of WebVTT lose their tags, notes and styles, and keep their times", async () => {
    const text = `\ufeffWEBVTT - made by TikTok

NOTE a comment

STYLE
::cue { color: red }

1
00:00:00.120 --> 00:00:01.500 line:90%
<v Ann>Hello <b>there</b> &amp; you
second   line

00:01.500 --> 00:03.000
<00:00:02.000>Bye <c.yellow>now</c>`;
    expect(parseCaptions(text)).toEqual([
      { startMs: 120, endMs: 1_500, text: "Hello there & you second line" },
      { startMs: 1_500, endMs: 3_000, text: "Bye now" },
    ]);
  });

  test("of SubRip are read as yt-dlp writes them", async () => {
    const text =
      "1\n00:00:00,000 --> 00:00:01,200\nOne <i>two</i>\n\n2\n00:00:01,200 --> 00:00:02,000\nthree";
    expect(parseCaptions(text)).toEqual([
      { startMs: 0, endMs: 1_200, text: "One two" },
      { startMs: 1_200, endMs: 2_000, text: "three" },
    ]);
  });

  test("leave out cues that are empty, turned round or no cues, and never overlap", async () => {
    const text = `WEBVTT

00:05.000 --> 00:04.000
turned round

00:00.000 --> 00:02.000
first

xx --> yy
no time

00:01.000 --> 00:03.000
over\0lap

00:03.000 --> 00:04.000
  `;
    expect(parseCaptions(text)).toEqual([
      { startMs: 0, endMs: 2_000, text: "first" },
      { startMs: 2_000, endMs: 3_000, text: expect.stringMatching(/^over.?lap$/) },
    ]);
  });

  test("of SubRip may lack the empty lines between cues, and hold styles of other players", () => {
    const text =
      "1\r\n0:00:00,0 --> 0:00:01,2\r\n{\\an8}One < two\r\n2\r\n00:01.2 --> 00:02,000\r\n&quot;3&#33;&quot;";
    expect(parseCaptions(text)).toEqual([
      { startMs: 0, endMs: 1_200, text: "One < two" },
      { startMs: 1_200, endMs: 2_000, text: '"3!"' },
    ]);
  });

  test.each([
    ["spaces before an arrow", " ".repeat(900_000) + "--> 00:01.000\nx"],
    ["spaces after a time", `00:00.000${" ".repeat(900_000)}`],
    ["arrows", "-->".repeat(300_000)],
    ["nested tags", `00:00.000 --> 00:01.000\n${"<b>".repeat(300_000)}word`],
    ["tags without end", `00:00.000 --> 00:01.000\n${"<b".repeat(400_000)}word`],
    ["open brackets", `00:00.000 --> 00:01.000\n${"< ".repeat(400_000)}> word`],
    ["ampersands", `00:00.000 --> 00:01.000\n${"&a".repeat(400_000)} word`],
    ["braces", `00:00.000 --> 00:01.000\n${"{\\\\".repeat(300_000)} word`],
    ["empty lines", "\n".repeat(1_000_000)],
    ["cues", "00:00.000 --> 00:01.000\nword\n\n".repeat(30_000)],
  ])("of a million characters of %s take no longer than others", (_what, text) => {
    const startedAt = performance.now();
    parseCaptions(text);
    // 10 to 200 ms were measured; a pattern that is quadratic takes minutes.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test.each([
    ["nothing", ""],
    ["HTML", "<!doctype html><html><body>00:00.000 --> 00:01.000</body></html>"],
    ["JSON", '{"utterances":[]}'],
  ])("are none in %s", async (_what, text) => {
    expect(parseCaptions(text)).toEqual([]);
  });

  test("are in order, with text and without NUL, whatever the file holds", async () => {
    const piece = fc.oneof(
      fc.constantFrom("WEBVTT\n\n", "00:00.000 --> 00:01.000\n", "00:01,000 --> 00:00,500\n"),
      fc.constantFrom("\n\n", "<b", "<00:00", "&#0;", "\0", "\ud800", "99:99:99.999 --> "),
      fc.string({ maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
        let endMs = 0;
        for (const segment of parseCaptions(pieces.join(""))) {
          expect(segment.startMs).toBeGreaterThanOrEqual(endMs);
          expect(segment.endMs).toBeGreaterThanOrEqual(segment.startMs);
          expect(segment.text).not.toBe("");
          expect(segment.text).not.toContain("\0");
          expect(segment.text.isWellFormed()).toBe(true);
          endMs = segment.endMs;
        }
      }),
      { numRuns: 300 },
    );
  });
});
