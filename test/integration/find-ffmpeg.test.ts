import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFfmpeg } from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

describe("findFfmpeg", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-find-"));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const install = async (name: string, output: string) => {
    await writeFile(join(directory, name), `#!/bin/sh\necho '${output}'\n`, { mode: 0o755 });
    return join(directory, name);
  };

  test("takes the program that was named, with the ffprobe beside it", async () => {
    const ffmpegPath = await install("ffmpeg", "ffmpeg version 7.1.5-demo Copyright");
    const ffprobePath = await install("ffprobe", "ffprobe version 7.1.5-demo Copyright");
    const found = { ffmpegPath, ffprobePath, version: "7.1.5-demo", bundled: false };
    expect(await findFfmpeg({ ffmpegPath })).toEqual(found);
  });

  test("passes over a program without an ffprobe, or that is no ffmpeg", async () => {
    const alone = await install("ffmpeg", "ffmpeg version 7.1.5-demo Copyright");
    expect((await findFfmpeg({ ffmpegPath: alone }))?.ffmpegPath).not.toBe(alone);
    const other = await install("ffmpeg", "hello");
    await install("ffprobe", "ffprobe version 7.1.5-demo Copyright");
    expect((await findFfmpeg({ ffmpegPath: other }))?.ffmpegPath).not.toBe(other);
  });

  test("falls back to the bundled pair, and says so", async () => {
    const found = await findFfmpeg({ ffmpegPath: join(directory, "none") });
    // Null where the optional packages have no build for this machine.
    expect(found === null || found.bundled).toBe(true);
  });
});
