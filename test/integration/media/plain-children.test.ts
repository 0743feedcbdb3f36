import { beforeAll, describe, expect, test } from "vitest";
import { createMediaTools } from "@clipmill/providers";
import { type CountedProgram, createCountedProgram } from "../../support/posts/counted-program.ts";
import { hasFfmpeg, makeMedia, SOURCES } from "../../support/posts/media-fixtures.ts";
import { useMediaTools } from "../../support/posts/use-media-tools.ts";

const signal = new AbortController().signal;

describe.skipIf(!hasFfmpeg)("children that a post costs (needs ffmpeg)", () => {
  const { at } = useMediaTools();
  let ffmpeg: CountedProgram;
  let ffprobe: CountedProgram;
  beforeAll(async () => {
    ffmpeg = await createCountedProgram(at("counted-ffmpeg"), "ffmpeg");
    ffprobe = await createCountedProgram(at("counted-ffprobe"), "ffprobe");
  });
  const toTools = () => createMediaTools({ ffmpegPath: ffmpeg.path, ffprobePath: ffprobe.path });
  const takeCounts = async () => [await ffprobe.takeCount(), await ffmpeg.takeCount()];

  test("are none for the download of a plain one, and one ffmpeg for its sound", async () => {
    const tools = toTools();
    const still = "-f lavfi -i testsrc=size=360x640 -frames:v 1".split(" ");
    const cover = makeMedia(at("cover.jpg"), ...still);
    const found = await tools.probe(at("clip.mp4"), { signal });
    expect(found).toEqual({ durationMs: 2_000, hasAudio: true, hasVideo: true, unknownCodecs: [] });
    expect((await tools.probe(cover, { signal })).durationMs).toBe(0);
    expect(await takeCounts()).toEqual([0, 0]);
    const { durationMs } = await tools.toWav(at("clip.mp4"), at("clip.wav"), { signal });
    expect(durationMs).toBeGreaterThan(1_900);
    expect(await takeCounts()).toEqual([0, 1]);
    await tools.toPicture(cover, at("cover.png"), { signal });
    expect(await takeCounts()).toEqual([0, 1]);
  });

  test("are ffprobe and a measure for one that is not plain", async () => {
    const live = "-deadline realtime -live 1".split(" ");
    const clip = makeMedia(at("live.webm"), ...SOURCES.pattern(1), ...SOURCES.tone(1), ...live);
    expect((await toTools().probe(clip, { signal })).hasVideo).toBe(true);
    expect(await takeCounts()).toEqual([1, 1]);
  });

  test("are a measure for one that claims to be over the limit", async () => {
    const options = { ffmpegPath: ffmpeg.path, ffprobePath: ffprobe.path, maxSeconds: 1 };
    const found = await createMediaTools(options).probe(at("clip.mp4"), { signal });
    expect(found.durationMs).toBeGreaterThan(1_000);
    expect(await ffmpeg.takeCount()).toBeGreaterThan(0);
  });
});
