import { type CaptionReader, RetryableError, type Segment } from "@clipmill/domain";
import { describe, expect, test, vi } from "vitest";
import { findGoodSegments, readPostCaptions } from "./post-captions.ts";

const LINES = [
  "how do you keep your house plants alive",
  "give them water once a week",
  "and keep them out of the sun",
  "that is all there is to it",
];
const toSegments = (lines: readonly string[], everyMs = 2_000, fromMs = 0): Segment[] =>
  lines.map((text, at) => ({
    startMs: fromMs + at * everyMs,
    endMs: fromMs + (at + 1) * everyMs,
    text,
  }));

describe("the quality check", () => {
  test("accepts captions that cover the clip, cut to its length", () => {
    const passed = findGoodSegments(toSegments(LINES), 7_500);
    expect(passed?.map(({ text }) => text)).toEqual(LINES);
    expect(passed?.at(-1)?.endMs).toBe(7_500);
  });

  test("accepts a chorus that makes up half of the lines", () => {
    const lines = ["oh la la la la", LINES[0] ?? "", "oh la la la la", LINES[1] ?? ""];
    expect(findGoodSegments(toSegments(lines), 8_000)).toHaveLength(4);
  });

  test.each<[why: string, segments: Segment[], durationMs: number]>([
    ["are empty", [], 8_000],
    ["cover less than half of the clip", toSegments(LINES), 16_100],
    ["start only in its last part", toSegments(LINES, 500, 6_000), 8_000],
    ["belong to a longer cut", toSegments(LINES), 5_900],
    [
      "are one line over and over",
      toSegments(Array<string>(8).fill("music is playing here")),
      16_000,
    ],
    ["are too sparse for speech", toSegments(["well", "hm", "yes", "no"], 10_000), 40_000],
    ["are too short to be speech", toSegments(["hi"]), 2_000],
  ])("stops captions that %s", (_why, segments, durationMs) => {
    expect(findGoodSegments(segments, durationMs)).toBeNull();
  });
});

describe("reading the captions of a post", () => {
  const signal = new AbortController().signal;
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn(), child: () => log };
  const ctx = {
    signal,
    log,
    attempt: 1,
    expiredToken: null,
    now: () => new Date(0),
    pay: <T>(_: unknown, call: () => Promise<T>) => call(),
  };
  const offered = (language: string, origin: "translation" | null = null) => ({
    language,
    format: "vtt" as const,
    content: { url: `https://v16.tiktok.com/${language}` },
    origin,
  });
  const reader = (read: CaptionReader["readCaptions"] = async () => toSegments(LINES)) => ({
    readCaptions: vi.fn(read),
  });
  const media = { mediaSha256: "a".repeat(64), durationMs: 8_000, source: "ytdlp" };
  const readAll = (languages: ReturnType<typeof offered>[], from = reader()) =>
    readPostCaptions(from, { ...media, captions: languages }, ctx);

  test("makes transcripts that say where their words are from", async () => {
    const [only] = await readAll([offered("en")]);
    expect(only).toMatchObject({
      spoken: true,
      transcript: {
        origin: "captions",
        engine: "captions:ytdlp",
        language: "en",
        verdict: "speech",
        text: LINES.join(" "),
      },
    });
  });

  test("of the sandbox says that they are not real", async () => {
    const source = "tiklive@sandbox";
    const [only] = await readPostCaptions(
      reader(),
      { ...media, source, captions: [offered("en")] },
      ctx,
    );
    expect(only?.transcript.engine).toBe("captions@sandbox:tiklive");
  });

  test("leaves translations alone, and of several languages knows none as the spoken one", async () => {
    const from = reader();
    const found = await readAll([offered("en"), offered("de"), offered("fr", "translation")], from);
    expect(found.map(({ spoken }) => spoken)).toEqual([false, false]);
    expect(from.readCaptions).toHaveBeenCalledTimes(2);
    const [original] = await readAll([offered("en", "translation"), offered("de")]);
    expect(original).toMatchObject({ spoken: true, transcript: { language: "de" } });
  });

  test("reads four languages at most", async () => {
    const from = reader();
    await readAll(
      ["a", "b", "c", "d", "e"].map((language) => offered(language)),
      from,
    );
    expect(from.readCaptions).toHaveBeenCalledTimes(4);
  });

  test("goes on without captions that cannot be read, but not after an abort", async () => {
    const failing = reader(async () => {
      throw new RetryableError("stale_link", "403");
    });
    expect(await readAll([offered("en")], failing)).toEqual([]);
    const stumbling = reader(async () => {
      throw new RangeError("Maximum call stack size exceeded");
    });
    expect(await readAll([offered("en")], stumbling)).toEqual([]);
    const aborted = { ...ctx, signal: AbortSignal.abort(new Error("shutdown")) };
    const captions = [offered("en")];
    await expect(readPostCaptions(failing, { ...media, captions }, aborted)).rejects.toThrow("403");
  });
});
