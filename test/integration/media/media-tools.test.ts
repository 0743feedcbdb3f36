import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnrecoverableError } from "@clipmill/domain";
import { createMediaTools } from "@clipmill/providers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLoopback } from "../../support/fakes/loopback.ts";
import {
  hasEncoder,
  hasFfmpeg,
  makeClip,
  makeMedia,
  makeSilentClip,
  SOURCES,
} from "../../support/posts/media-fixtures.ts";

const signal = new AbortController().signal;

describe.skipIf(!hasFfmpeg)("the media tools (need ffmpeg on PATH)", () => {
  const tools = createMediaTools({ ffmpegPath: "ffmpeg", ffprobePath: "ffprobe" });
  let directory: string;
  const at = (name: string) => join(directory, name);
  const write = async (name: string, content: string | Uint8Array) => {
    await writeFile(at(name), content);
    return at(name);
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-media-"));
    makeClip(at("clip.mp4"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  describe("probe", () => {
    test("finds audio, video and the duration of a clip", async () => {
      const { durationMs, ...has } = await tools.probe(at("clip.mp4"), { signal });
      expect(has).toEqual({ hasAudio: true, hasVideo: true, unknownCodecs: [] });
      expect(durationMs).toBeGreaterThan(1_900);
      expect(durationMs).toBeLessThan(2_200);
    });

    test.each([
      ["silent.mp4", true, false, [...SOURCES.pattern(1), "-pix_fmt", "yuv420p"]],
      ["tone.m4a", false, true, SOURCES.tone(1)],
      ["tone.mp3", false, true, SOURCES.tone(1)],
      ["tone.aac", false, true, SOURCES.tone(1)],
      ["tone.wav", false, true, SOURCES.tone(1)],
      [
        "clip.webm",
        true,
        true,
        [...SOURCES.pattern(1), ...SOURCES.tone(1), "-deadline", "realtime"],
      ],
      ["clip.mov", true, true, [...SOURCES.pattern(1), ...SOURCES.tone(1)]],
    ])("%s has video %s and audio %s", async (name, hasVideo, hasAudio, args) => {
      const found = await tools.probe(makeMedia(at(name), ...args), { signal });
      expect(found).toMatchObject({ hasAudio, hasVideo });
      expect(found.durationMs).toBeGreaterThan(900);
      expect(found.durationMs).toBeLessThan(1_300);
    });

    test.skipIf(!hasEncoder("libx265"))("reads HEVC (needs an ffmpeg with libx265)", async () => {
      const args = [...SOURCES.pattern(1), "-c:v", "libx265", "-x265-params", "log-level=none"];
      const found = await tools.probe(makeMedia(at("hevc.mp4"), ...args), { signal });
      expect(found).toMatchObject({ hasAudio: false, hasVideo: true });
    });

    test("does not take the cover of a song for video", async () => {
      const cover = makeMedia(at("cover.png"), ...SOURCES.pattern(1), "-frames:v", "1");
      const inputs = [...SOURCES.tone(1), "-i", cover, "-map", "0", "-map", "1"];
      const song = makeMedia(at("song.mp3"), ...inputs, "-disposition:v:0", "attached_pic");
      expect(await tools.probe(song, { signal })).toMatchObject({
        hasAudio: true,
        hasVideo: false,
      });
    });

    test.each(["still.png", "still.jpg", "still.webp", "still.gif"])(
      "%s is neither audio nor video",
      async (name) => {
        const still = makeMedia(at(name), ...SOURCES.pattern(1), "-frames:v", "1");
        const nothing = { durationMs: 0, hasAudio: false, hasVideo: false, unknownCodecs: [] };
        expect(await tools.probe(still, { signal })).toEqual(nothing);
      },
    );

    test("a file with subtitles only is no_content", async () => {
      const words = await write("words.srt", "1\n00:00:00,000 --> 00:00:01,000\nhello\n");
      const file = makeMedia(at("words.mp4"), "-i", words, "-c:s", "mov_text");
      await expect(tools.probe(file, { signal })).rejects.toMatchObject({ code: "no_content" });
    });

    test("an empty file, text, and an archive named .mp4 are corrupt_media", async () => {
      for (const content of ["", "hello, this is text", "PK\u0003\u0004zip"]) {
        const file = await write("bad.mp4", content);
        await expect(tools.probe(file, { signal })).rejects.toMatchObject({
          code: "corrupt_media",
        });
      }
    });

    test("a clip that is cut off is corrupt_media, wherever its index is", async () => {
      const clip = await readFile(at("clip.mp4"));
      makeMedia(at("late.mp4"), "-i", at("clip.mp4"), "-c", "copy", "-movflags", "-faststart");
      const late = await readFile(at("late.mp4"));
      for (const whole of [clip, late]) {
        for (const part of [0.3, 0.6, 0.99]) {
          const file = await write("cut.mp4", whole.subarray(0, Math.floor(whole.length * part)));
          await expect(tools.probe(file, { signal })).rejects.toMatchObject({
            code: "corrupt_media",
          });
        }
      }
    });

    test("a clip whose index is damaged is broken or empty, but never tried again", async () => {
      const clip = await readFile(at("clip.mp4"));
      const moov = clip.indexOf("moov");
      const file = await write("damaged.mp4", Buffer.from(clip).fill(0xff, moov + 4, moov + 400));
      await expect(tools.probe(file, { signal })).rejects.toBeInstanceOf(UnrecoverableError);
    });

    test("frames of 100,000 pixels are too_large before anything is decoded", async () => {
      const wide = makeMedia(
        at("wide.png"),
        "-f",
        "lavfi",
        "-i",
        "color=size=100000x16",
        "-frames:v",
        "1",
      );
      await expect(tools.probe(wide, { signal })).rejects.toMatchObject({ code: "too_large" });
      const clip = Buffer.from(await readFile(at("clip.mp4")));
      const [tkhd, avc1] = [clip.indexOf("tkhd"), clip.indexOf("avc1", clip.indexOf("stsd"))];
      clip.writeUInt32BE(60_000 * 65_536, tkhd + 80);
      clip.writeUInt16BE(60_000, avc1 + 28);
      clip.writeUInt16BE(60_000, avc1 + 30);
      const outcome = await tools
        .probe(await write("huge.mp4", clip), { signal })
        .catch((e: unknown) => e);
      // The stream's own header may win over the container's claim; either way no such frame is made.
      expect(outcome).toSatisfy(
        (o: { code?: string; hasVideo?: boolean }) => o.code === "too_large" || o.hasVideo === true,
      );
    });
  });

  test.each(["playlist.mp4", "playlist.m3u8", "concat.mp4"])(
    "%s, which would read another file or call home, is refused and calls nobody",
    async (name) => {
      const server = await startLoopback((_, response) => response.end());
      const target = `${server.origin}/leak`;
      const content = name.startsWith("playlist")
        ? `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${target}\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n`
        : `ffconcat version 1.0\nfile '${target}'\n`;
      const file = await write(name, content);
      await expect(tools.probe(file, { signal })).rejects.toMatchObject({ code: "corrupt_media" });
      await expect(tools.toWav(file, at("leak.wav"), { signal })).rejects.toMatchObject({
        code: "corrupt_media",
      });
      expect(server.connections()).toBe(0);
      await server.close();
    },
  );

  describe("toWav", () => {
    test("writes 16 kHz mono with a plain header, the same bytes each time", async () => {
      const hashes = new Set<string>();
      for (const name of ["one.wav", "two.wav"]) {
        await tools.toWav(at("clip.mp4"), at(name), { signal });
        hashes.add(
          createHash("sha256")
            .update(await readFile(at(name)))
            .digest("hex"),
        );
      }
      expect(hashes.size).toBe(1);
      const wav = await readFile(at("one.wav"));
      expect(wav.toString("latin1", 36, 40)).toBe("data");
      const [channels, rate, bits] = [
        wav.readUInt16LE(22),
        wav.readUInt32LE(24),
        wav.readUInt16LE(34),
      ];
      expect({ channels, rate, bits }).toEqual({ channels: 1, rate: 16_000, bits: 16 });
      expect(wav.length).toBeGreaterThan(1.9 * 32_000);
      expect(wav.readUInt32LE(40)).toBe(wav.length - 44);
    });

    test("of audio over the limit is too_long, whatever the container says", async () => {
      const strict = createMediaTools({
        ffmpegPath: "ffmpeg",
        ffprobePath: "ffprobe",
        maxSeconds: 1,
      });
      const made = strict.toWav(at("clip.mp4"), at("long.wav"), { signal });
      await expect(made).rejects.toMatchObject({ code: "too_long" });
    });

    test("of a clip without sound is skipped as no_audio", async () => {
      const silent = makeSilentClip(at("mute.mp4"));
      await expect(tools.toWav(silent, at("mute.wav"), { signal })).rejects.toMatchObject({
        code: "no_audio",
      });
    });
  });

  describe("toFrames", () => {
    test("writes as many frames as were asked for, spread over the clip, in order", async () => {
      const options = { signal, maxCount: 4, everyMs: 500 };
      const frames = await tools.toFrames(at("clip.mp4"), directory, options);
      expect(frames).toHaveLength(4);
      const contents = await Promise.all(frames.map((frame) => readFile(frame, "latin1")));
      for (const content of contents) expect(content.slice(1, 4)).toBe("PNG");
      expect(new Set(contents).size).toBe(4);
      expect(frames).toEqual([...frames].sort());
    });

    test("scales frames larger than a phone shows", async () => {
      const large = makeMedia(
        at("large.mp4"),
        ...SOURCES.pattern(1, "2560x1440"),
        "-preset",
        "ultrafast",
      );
      const [frame = ""] = await tools.toFrames(large, directory, {
        signal,
        maxCount: 1,
        everyMs: 2_000,
      });
      const png = await readFile(frame);
      expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1_920, 1_080]);
    });
  });

  test("paths are taken as they are, whatever ffmpeg could read in them", async () => {
    const odd = at("it's 100%d: a:b");
    await mkdir(odd);
    const clip = join(odd, "-i clip*.mp4");
    await copyFile(at("clip.mp4"), clip);
    expect(await tools.probe(clip, { signal })).toMatchObject({ hasAudio: true });
    await tools.toWav(clip, join(odd, "out %03d.wav"), { signal });
    expect((await stat(join(odd, "out %03d.wav"))).size).toBeGreaterThan(44);
    const frames = await tools.toFrames(clip, odd, { signal, maxCount: 1, everyMs: 2_000 });
    expect(frames).toEqual([join(odd, "frame-0000.png")]);
  });
});
