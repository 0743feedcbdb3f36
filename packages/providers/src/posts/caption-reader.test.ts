import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCaptions } from "./caption-reader.ts";

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
    expect(await parseCaptions(text, "vtt")).toEqual([
      { startMs: 120, endMs: 1_500, text: "Hello there & you second line" },
      { startMs: 1_500, endMs: 3_000, text: "Bye now" },
    ]);
  });

  test("of SubRip are read as yt-dlp writes them", async () => {
    const text =
      "1\n00:00:00,000 --> 00:00:01,200\nOne <i>two</i>\n\n2\n00:00:01,200 --> 00:00:02,000\nthree";
    expect(await parseCaptions(text, "srt")).toEqual([
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
    expect(await parseCaptions(text, "vtt")).toEqual([
      { startMs: 0, endMs: 2_000, text: "first" },
      { startMs: 2_000, endMs: 3_000, text: expect.stringMatching(/^over.?lap$/) },
    ]);
  });

  test.each([
    ["nothing", ""],
    ["HTML", "<!doctype html><html><body>00:00.000 --> 00:01.000</body></html>"],
    ["JSON", '{"utterances":[]}'],
  ])("are none in %s", async (_what, text) => {
    expect(await parseCaptions(text, "vtt")).toEqual([]);
  });

  test("are in order, with text and without NUL, whatever the file holds", async () => {
    const piece = fc.oneof(
      fc.constantFrom("WEBVTT\n\n", "00:00.000 --> 00:01.000\n", "00:01,000 --> 00:00,500\n"),
      fc.constantFrom("\n\n", "<b", "<00:00", "&#0;", "\0", "\ud800", "99:99:99.999 --> "),
      fc.string({ maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 30 }),
        fc.constantFrom("vtt" as const, "srt" as const),
        async (pieces, format) => {
          let endMs = 0;
          for (const segment of await parseCaptions(pieces.join(""), format)) {
            expect(segment.startMs).toBeGreaterThanOrEqual(endMs);
            expect(segment.endMs).toBeGreaterThanOrEqual(segment.startMs);
            expect(segment.text).not.toBe("");
            expect(segment.text).not.toContain("\0");
            expect(segment.text.isWellFormed()).toBe(true);
            endMs = segment.endMs;
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
