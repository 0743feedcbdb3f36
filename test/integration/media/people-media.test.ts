import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMediaTools } from "@clipmill/providers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { casePath, hasCases } from "../../support/cases.ts";
import { hasFfmpeg } from "../../support/posts/media-fixtures.ts";
import { findSounds } from "../../support/posts/odd-media.ts";

const signal = new AbortController().signal;

/** What is right of a file. */
interface Right {
  seconds: number;
  /** Where the first sound starts, in seconds; or the code and the words of why nothing is heard. */
  sound: number | [code: string, words: string];
  /** How many frames there are, one for two seconds; or the code and the words of why none. */
  frames: number | [code: string, words: string];
}

const NO_VIDEO: Right["frames"] = ["corrupt_media", "no video"];
const FILES: [folder: string, file: string, right: Right][] = [
  ["01-webm-no-duration", "rec8.webm", { seconds: 8, sound: 0.2, frames: 4 }],
  ["01-webm-no-duration", "rec40.webm", { seconds: 40, sound: 0.2, frames: NO_VIDEO }],
  ["03-audio-starts-late", "late5.mp4", { seconds: 10, sound: 5.2, frames: 5 }],
  ["04-mp4-trailing-bytes", "tail5.mp4", { seconds: 12, sound: 0.2, frames: 6 }],
  ["04-mp4-trailing-bytes", "tailtext.mp4", { seconds: 12, sound: 0.2, frames: 6 }],
  ["05-undecodable-audio-track", "aac_unk.mp4", { seconds: 4, sound: 0.2, frames: 2 }],
  ["05-undecodable-audio-track", "unk_aac.mp4", { seconds: 4, sound: 0.2, frames: 2 }],
  [
    "05-undecodable-audio-track",
    "badaudiotext.mp4",
    { seconds: 4, sound: ["unsupported", "xx9x"], frames: 2 },
  ],
  ["06-silent-track-first", "mutefirst.mp4", { seconds: 4, sound: 0.2, frames: 2 }],
  ["07-empty-audio-track", "tiny.mp4", { seconds: 0, sound: ["no_audio", "64 ms"], frames: 1 }],
  ["07-empty-audio-track", "zeroaudio.mp4", { seconds: 4, sound: ["no_audio", ""], frames: 2 }],
  ["08-id3-aac", "id3.aac", { seconds: 4, sound: 0.3, frames: NO_VIDEO }],
  ["09-bytevc2", "bvc2.mp4", { seconds: 4, sound: 0.2, frames: ["unsupported", "bvc2"] }],
  [
    "09-bytevc2",
    "bvc2mute.mp4",
    { seconds: 4, sound: ["no_audio", ""], frames: ["unsupported", "bvc2"] },
  ],
  ["47-hevc10-rotated", "hevc10rot.mp4", { seconds: 4, sound: 0.2, frames: 2 }],
  ["47-hevc10-rotated", "rottext.mp4", { seconds: 4, sound: ["no_audio", ""], frames: 2 }],
  ["48-fragmented-mp4", "frag.mp4", { seconds: 12, sound: 0.3, frames: 6 }],
];

describe.skipIf(!hasCases || !hasFfmpeg)(
  "files that people met (needs ../shared/cases and ffmpeg)",
  () => {
    const tools = createMediaTools({ ffmpegPath: "ffmpeg", ffprobePath: "ffprobe" });
    let directory: string;
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "clipmill-people-"));
    });
    afterAll(() => rm(directory, { recursive: true }));

    /** What `found` finds, or the error's code and as many of its words as are asked for. */
    async function orError<T>(found: Promise<T>, words: unknown): Promise<unknown> {
      return await found.catch(({ code, message }: { code: string; message: string }) => [
        code,
        typeof words === "string" && message.includes(words) ? words : message,
      ]);
    }

    test.each(FILES)(
      "%s/%s",
      async (folder, file, { seconds, sound, frames }) => {
        const path = casePath(folder, file);
        const { durationMs } = await tools.probe(path, { signal });
        expect(Math.abs(durationMs / 1_000 - seconds)).toBeLessThan(0.3);

        const wavPath = join(directory, "sound.wav");
        const heard = tools
          .toWav(path, wavPath, { signal })
          .then(() => findSounds(wavPath)[0]?.from);
        if (typeof sound === "number") expect(await heard).toBeCloseTo(sound, 0);
        else expect(await orError(heard, sound[1])).toEqual(sound);

        const folderOfFrames = await mkdtemp(join(directory, "frames-"));
        const options = { signal, maxCount: 6, everyMs: 2_000 };
        const seen = tools.toFrames(path, folderOfFrames, options).then(({ length }) => length);
        const words = typeof frames === "number" ? null : frames[1];
        expect(await orError(seen, words)).toEqual(frames);
        // Ten programs, one after the other, on a machine that may be busy.
      },
      90_000,
    );
  },
);
