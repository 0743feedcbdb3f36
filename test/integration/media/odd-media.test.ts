import { readFile } from "node:fs/promises";
import { createMediaTools } from "@clipmill/providers";
import { describe, expect, test } from "vitest";
import { hasFfmpeg, makeMedia, SOURCES } from "../../support/posts/media-fixtures.ts";
import { claimDuration, makeGappedClip, toTag } from "../../support/posts/odd-media.ts";
import { useMediaTools } from "../../support/posts/use-media-tools.ts";

const signal = new AbortController().signal;

/** What every player plays, although something about it is odd. */
describe.skipIf(!hasFfmpeg)("media as people have it (needs ffmpeg)", () => {
  const { tools, at, write, hear, look } = useMediaTools({ maxSeconds: 60 });

  describe("the length is that of what is decoded", () => {
    test.each([
      ["0 s", 0],
      ["a moment", 10],
      ["years", 0xff_ff_ff_ff],
    ])("where an MP4 claims %s", async (_what, ticks) => {
      const clip = claimDuration(at("clip.mp4"), at("claims.mp4"), ticks);
      for (const { durationMs } of [await tools.probe(clip, { signal }), await hear(clip)]) {
        expect(durationMs).toBeGreaterThan(1_900);
        expect(durationMs).toBeLessThan(2_200);
      }
      expect(await look(clip)).toHaveLength(3);
    });

    test("where a WebM was recorded live and claims nothing, and its frames are found", async () => {
      const inputs = [...SOURCES.pattern(3), ...SOURCES.tone(3), "-deadline", "realtime"];
      const clip = makeMedia(at("live.webm"), ...inputs, "-live", "1");
      const { durationMs } = await tools.probe(clip, { signal });
      expect(durationMs).toBeGreaterThan(2_900);
      expect(durationMs).toBeLessThan(3_200);
      const contents = await Promise.all(
        (await look(clip)).map((frame) => readFile(frame, "latin1")),
      );
      expect(new Set(contents).size).toBe(3);
    });

    test("where the header of a WAV says less or more than there is", async () => {
      const wav = await readFile(makeMedia(at("tone.wav"), ...SOURCES.tone(2)));
      const data = wav.indexOf("data");
      for (const bytes of [0, 0xff_ff_ff_ff]) {
        wav.writeUInt32LE(bytes, data + 4);
        wav.writeUInt32LE(bytes, 4);
        const { durationMs } = await tools.probe(await write("size.wav", wav), { signal });
        expect(Math.abs(durationMs - 2_000)).toBeLessThan(100);
      }
    });

    test("of sound beside a picture that is to stand for hours", async () => {
      const still = "-f lavfi -i testsrc=size=64x64:rate=1/864:duration=86400".split(" ");
      const codecs = ["-preset", "ultrafast", "-pix_fmt", "yuv420p"];
      const clip = makeMedia(at("still.mp4"), ...still, ...SOURCES.tone(2), ...codecs);
      expect((await tools.probe(clip, { signal })).durationMs).toBeLessThan(2_200);
      const mute = makeMedia(at("mute.mp4"), ...still, ...codecs);
      expect((await tools.probe(mute, { signal })).durationMs).toBeGreaterThan(80_000_000);
    });

    test("and no more than a little over the limit is measured or decoded", async () => {
      const strict = createMediaTools({
        ffmpegPath: "ffmpeg",
        ffprobePath: "ffprobe",
        maxSeconds: 1,
      });
      const clip = claimDuration(at("clip.mp4"), at("one.mp4"), 10);
      const { durationMs } = await strict.probe(clip, { signal });
      expect(durationMs).toBeGreaterThan(1_000);
      await expect(strict.toWav(clip, at("one.wav"), { signal })).rejects.toMatchObject({
        code: "too_long",
      });
    });
  });

  describe("sound lies where it lies in the video", () => {
    test.each(["gap.mp4", "gap.webm", "gap.mkv", "gap.ts", "gap.flv"])(
      "that starts late and has a gap, in %s",
      async (name) => {
        const { sounds } = await hear(makeGappedClip(at(name), 1));
        expect(sounds).toHaveLength(2);
        const [first = { from: 0, to: 0 }, second = first] = sounds;
        for (const [found, right] of [
          [first.from, 1],
          [first.to, 2],
          [second.from, 4],
          [second.to, 6],
        ] as const)
          expect(Math.abs(found - right)).toBeLessThan(0.15);
      },
    );

    test("in a file whose clock starts at 100 s", async () => {
      const gapped = makeGappedClip(at("plain.mp4"), 1);
      for (const name of ["offset.ts", "offset.mkv"]) {
        const moved = makeMedia(at(name), "-i", gapped, "-c", "copy", "-output_ts_offset", "100");
        const { sounds, durationMs } = await hear(moved);
        expect(sounds[0]?.from).toBeGreaterThan(0.85);
        expect(sounds[0]?.from).toBeLessThan(1.15);
        expect(durationMs).toBeLessThan(6_300);
      }
    });

    test("that starts before the pictures, and the pictures are found all the same", async () => {
      const inputs = ["-itsoffset", "1", "-i", at("clip.mp4"), "-i", at("clip.mp4")];
      const late = makeMedia(at("late.mp4"), ...inputs, "-map", "0:v", "-map", "1:a", "-c", "copy");
      expect((await hear(late)).sounds[0]?.from).toBeLessThan(0.1);
      expect((await tools.probe(late, { signal })).durationMs).toBeGreaterThan(2_900);
      expect(await look(late)).not.toEqual([]);
    });
  });

  describe("what stands around the media is no damage", () => {
    const oversized = Buffer.from("\0\x01\x86\x9ffree and no more", "latin1");
    const after: [what: string, bytes: Buffer | string][] = [
      ["three zeros", Buffer.alloc(3)],
      ["padding", Buffer.alloc(4_096)],
      ["ones", Buffer.alloc(100, 0xff)],
      ["a page", "<!-- served by cache 7 --></body></html>\n"],
      ["an ID3v1 tag", `TAG${"x".repeat(125)}`],
      ["a box of free space that is cut off", oversized],
    ];
    test.each(after)("after an MP4: %s", async (_what, bytes) => {
      const clip = await write("after.mp4", await readFile(at("clip.mp4")), bytes);
      expect(await tools.probe(clip, { signal })).toMatchObject({ hasAudio: true, hasVideo: true });
      expect((await hear(clip)).sounds).toHaveLength(1);
    });

    test("a media box that says more than there is, while all its samples are there", async () => {
      const clip = await readFile(at("clip.mp4"));
      const mdat = clip.lastIndexOf("mdat") - 4;
      clip.writeUInt32BE(clip.readUInt32BE(mdat) + 5_000, mdat);
      expect((await hear(await write("more.mp4", clip))).sounds).toHaveLength(1);
      const cut = await write("cut.mp4", clip.subarray(0, -20));
      await expect(hear(cut)).rejects.toMatchObject({ code: "corrupt_media" });
    });

    describe.each(["aac", "mp3", "flac"])("ID3 tags before .%s", (extension) => {
      test.each([
        ["one of HLS", [toTag(63)]],
        ["one of megabytes", [toTag(3_000_000)]],
        ["several", [toTag(200), toTag(63)]],
      ])("%s", async (_what, tags) => {
        const sound = await readFile(makeMedia(at(`tone.${extension}`), ...SOURCES.tone(2)));
        const first = extension === "mp3" ? sound.indexOf("\xff\xfb", "latin1") : 0;
        const file = await write("tagged", ...tags, sound.subarray(first));
        expect(await tools.probe(file, { signal })).toMatchObject({ hasAudio: true });
        expect((await hear(file)).durationMs).toBeGreaterThan(1_900);
      });
    });

    test.each(["aac", "mp3"])("junk before the first frame of .%s", async (extension) => {
      const sound = await readFile(makeMedia(at(`tone.${extension}`), ...SOURCES.tone(2)));
      const file = await write("junk", Buffer.alloc(1_000), sound.subarray(10));
      expect((await hear(file)).durationMs).toBeGreaterThan(1_900);
    });

    const sounds = ["flac", "opus", "aiff", "ac3", "latm", "caf"];
    const videos = ["avi", "ts", "3gp", "mkv", "flv", "wmv"];
    test.each([...sounds, ...videos])("a .%s file is media, too", async (extension) => {
      const hasVideo = videos.includes(extension);
      const inputs = [...(hasVideo ? SOURCES.pattern(2) : []), ...SOURCES.tone(2)];
      const isAac = ["latm", "3gp"].includes(extension);
      const codecs = isAac ? ["-c:a", "aac", ...(hasVideo ? ["-c:v", "libx264"] : [])] : [];
      const file = makeMedia(at(`kind.${extension}`), ...inputs, ...codecs);
      expect(await tools.probe(file, { signal })).toMatchObject({ hasAudio: true, hasVideo });
      expect(Math.abs((await hear(file)).durationMs - 2_000)).toBeLessThan(200);
    });
  });
});
