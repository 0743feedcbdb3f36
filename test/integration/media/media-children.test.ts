import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMediaTools } from "@clipmill/providers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const signal = new AbortController().signal;

describe("the children of the media tools", () => {
  let directory: string;
  let ffprobePath: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-children-"));
    ffprobePath = join(directory, "fake-ffprobe");
    const found = { streams: [{ index: 0, codec_type: "audio", codec_name: "mp3" }] };
    await writeFile(ffprobePath, `#!/bin/sh\necho '${JSON.stringify(found)}'\n`, { mode: 0o755 });
    await writeFile(join(directory, "clip.mp3"), "ID3 and nothing that matters here");
  });
  afterAll(() => rm(directory, { recursive: true }));
  const clip = () => join(directory, "clip.mp3");
  const wav = () => join(directory, "out.wav");

  /** A program that tells its process id and then does as it is told, in place of ffmpeg. */
  async function installFake(
    script: string,
  ): Promise<{ path: string; readPid(): Promise<number> }> {
    const path = join(directory, "fake-ffmpeg");
    await writeFile(path, `#!/bin/sh\necho $$ > "${directory}/pid"\n${script}\n`, { mode: 0o755 });
    await rm(join(directory, "pid"), { force: true });
    return { path, readPid: async () => Number(await readFile(join(directory, "pid"), "utf8")) };
  }

  test("die with the signal, and the call ends with its reason once they are gone", async () => {
    const { path, readPid } = await installFake("exec sleep 600");
    const asFfmpeg = createMediaTools({ ffmpegPath: path, ffprobePath });
    const asFfprobe = createMediaTools({ ffmpegPath: path, ffprobePath: path });
    const calls = [
      (on: AbortSignal) => asFfmpeg.toWav(clip(), wav(), { signal: on }),
      (on: AbortSignal) => asFfmpeg.probe(clip(), { signal: on }),
      (on: AbortSignal) => asFfprobe.probe(clip(), { signal: on }),
    ];
    for (const call of calls) {
      await rm(join(directory, "pid"), { force: true });
      const controller = new AbortController();
      const reason = new Error("lease lost");
      const ended = call(controller.signal).catch((error: unknown) => error);
      await expect.poll(() => readPid().catch(() => 0)).toBeGreaterThan(0);
      const pid = await readPid();
      expect(process.kill(pid, 0)).toBe(true);
      controller.abort(reason);
      expect(await ended).toBe(reason);
      expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    }
  });

  test("are not started once the signal is aborted", async () => {
    const { path, readPid } = await installFake("exit 0");
    const tools = createMediaTools({ ffmpegPath: path, ffprobePath: path });
    const reason = new Error("shutdown");
    const on = AbortSignal.abort(reason);
    await expect(tools.toWav(clip(), wav(), { signal: on })).rejects.toBe(reason);
    await expect(readPid()).rejects.toMatchObject({ code: "ENOENT" });
  });

  test.each([
    ["kill -SEGV $$", "engine_failed"],
    ["echo 'x: No space left on device' >&2; exit 1", "storage_failed"],
    ["echo 'Invalid data found' >&2; exit 1", "corrupt_media"],
    // ffmpeg 5 and 7.
    ["echo 'Decoder (codec vvc) not found for input stream #0:0' >&2; exit 1", "unsupported"],
    ["echo 'Decoding requested, but no decoder found for: vvc' >&2; exit 8", "unsupported"],
  ])("that end with %j are %s", async (script, code) => {
    const { path } = await installFake(script);
    const tools = createMediaTools({ ffmpegPath: path, ffprobePath });
    await expect(tools.toWav(clip(), wav(), { signal })).rejects.toMatchObject({ code });
  });

  test.skipIf(process.platform !== "linux")("have 4 GB of memory at most (on Linux)", async () => {
    const { path } = await installFake(`ulimit -v > "${directory}/limit"`);
    const tools = createMediaTools({ ffmpegPath: path, ffprobePath });
    // The fake writes no WAV.
    await expect(tools.toWav(clip(), wav(), { signal })).rejects.toThrow("ENOENT");
    expect(await readFile(join(directory, "limit"), "utf8")).toBe(`${4 * 1024 * 1024}\n`);
  });

  test("that are missing are engine_unavailable, and a missing file is storage_failed", async () => {
    const tools = createMediaTools({
      ffmpegPath: "/nowhere/ffmpeg",
      ffprobePath: "/nowhere/ffprobe",
    });
    const missing = { code: "engine_unavailable" };
    await expect(tools.probe(clip(), { signal })).rejects.toMatchObject(missing);
    await expect(tools.toWav(clip(), wav(), { signal })).rejects.toMatchObject(missing);
    const none = tools.probe(join(directory, "none.mp4"), { signal });
    await expect(none).rejects.toMatchObject({ code: "storage_failed" });
  });
});
