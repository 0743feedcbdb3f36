import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isSimulated, type AsrInput, type AsrProvider, toText } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

export interface AsrSubject extends AsyncDisposable {
  provider: AsrProvider;
  /** A clip in a language that the provider hears, and what is said in it. */
  speech: AsrInput;
  words: string;
  /** A clip without a word. */
  silence: AsrInput;
}

/** What every AsrProvider promises. `make` is called once; the subject is disposed of at the end. */
export function describeAsrProvider(name: string, make: () => Promise<AsrSubject>): void {
  describe(`${name} as an AsrProvider`, () => {
    let subject: AsrSubject;
    beforeAll(async () => {
      subject = await make();
    }, 30_000);
    afterAll(() => subject[Symbol.asyncDispose]());
    const signal = new AbortController().signal;

    test("has an engine id that names engine and model", () => {
      expect(subject.provider.id).toMatch(/^[a-z]+(@sandbox)?:\S+$/);
    });

    test("hears the words of a clip, in segments in order, without overlap, inside the clip", async () => {
      const { provider, speech, words } = subject;
      const { segments, language, usd } = await provider.transcribe(speech, { signal });
      expect(toShare(words, toText(segments))).toBeGreaterThanOrEqual(0.8);
      let endMs = 0;
      for (const segment of segments) {
        expect(segment.text.trim()).not.toBe("");
        expect(segment.text).not.toMatch(/[<>[\]]|\(\d\)|\+\+/);
        expect(Number.isInteger(segment.startMs) && Number.isInteger(segment.endMs)).toBe(true);
        expect(segment.startMs).toBeGreaterThanOrEqual(endMs);
        expect(segment.endMs).toBeGreaterThanOrEqual(segment.startMs);
        endMs = segment.endMs;
      }
      expect(endMs).toBeLessThanOrEqual(speech.durationMs);
      expect(language ?? "en").toMatch(/^[a-z]{2,3}$/);
      expect(usd).toBeGreaterThanOrEqual(0);
      if (!isSimulated(provider.id)) {
        expect(usd).toBeLessThanOrEqual(provider.estimateUsd(speech.durationMs) * 1.01);
      }
    }, 60_000);

    test("reads a short clip before its call, if it reads ahead at all", async () => {
      const { provider, speech, words } = subject;
      if (provider.prepare === undefined) return;
      const directory = await mkdtemp(join(tmpdir(), "clipmill-prepared-"));
      const wavPath = join(directory, "clip.wav");
      await copyFile(speech.wavPath, wavPath);
      const ask = await provider.prepare({ ...speech, wavPath }, { signal });
      await rm(directory, { recursive: true });
      const { segments } = await ask({ signal });
      expect(toShare(words, toText(segments))).toBeGreaterThanOrEqual(0.8);
    }, 60_000);

    test("hears nothing in silence", async () => {
      const { segments } = await subject.provider.transcribe(subject.silence, { signal });
      expect(segments).toEqual([]);
    }, 60_000);

    test("supports the unknown language", () => {
      expect(subject.provider.supports(null)).toBe(true);
    });

    test("ends with the signal's reason when it was cancelled before", async () => {
      const reason = new Error("shutdown");
      const cancelled = { signal: AbortSignal.abort(reason) };
      await expect(subject.provider.transcribe(subject.speech, cancelled)).rejects.toBe(reason);
    });

    test("ends with the signal's reason when it is cancelled while it works", async () => {
      const controller = new AbortController();
      const reason = new Error("lost lock");
      const done = subject.provider.transcribe(subject.speech, { signal: controller.signal });
      setImmediate(() => controller.abort(reason));
      await expect(done).rejects.toBe(reason);
    });

    test("says by code that the audio is missing", async () => {
      const input = { ...subject.speech, wavPath: "/nonexistent/clip.wav" };
      await expect(subject.provider.transcribe(input, { signal })).rejects.toMatchObject({
        code: expect.stringMatching(/^(engine_failed|storage_failed)$/),
      });
    });
  });
}

/** Share of the expected words that were heard, in any order. */
function toShare(expected: string, heard: string): number {
  const left: string[] = heard.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
  const words = expected.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
  const found = words.filter((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
  return found.length / words.length;
}
