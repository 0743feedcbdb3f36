import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMediaTools } from "@clipmill/providers";
import { afterAll, beforeAll } from "vitest";
import { makeClip } from "./media-fixtures.ts";
import { findSounds } from "./odd-media.ts";

const signal = new AbortController().signal;
const frames = { signal, maxCount: 3, everyMs: 500 };

/** Media tools on a folder of their own, with `clip.mp4` in it, for the tests of one `describe`. */
export function useMediaTools(options: { maxSeconds?: number } = {}) {
  const tools = createMediaTools({ ffmpegPath: "ffmpeg", ffprobePath: "ffprobe", ...options });
  let directory: string;
  const at = (name: string) => join(directory, name);
  const newFolder = () => mkdtemp(join(directory, "frames-"));
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-media-tools-"));
    makeClip(at("clip.mp4"));
  });
  afterAll(() => rm(directory, { recursive: true }));
  return {
    tools,
    at,
    newFolder,
    async write(name: string, ...parts: (Buffer | string)[]) {
      await writeFile(at(name), Buffer.concat(parts.map((part) => Buffer.from(part))));
      return at(name);
    },
    async hear(path: string) {
      const { durationMs } = await tools.toWav(path, at("out.wav"), { signal });
      return { durationMs, sounds: findSounds(at("out.wav")) };
    },
    look: async (path: string) => await tools.toFrames(path, await newFolder(), frames),
  };
}
