import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { hasEncoder, hasFfmpeg, makeMedia, SOURCES } from "../../support/posts/media-fixtures.ts";
import { changeCodec } from "../../support/posts/odd-media.ts";
import { useMediaTools } from "../../support/posts/use-media-tools.ts";

const signal = new AbortController().signal;

describe.skipIf(!hasFfmpeg)("tracks and pictures as people have them (needs ffmpeg)", () => {
  const { tools, at, write, hear, look } = useMediaTools();

  describe("of several tracks", () => {
    const toMute = { from: "mp4a", to: "xx9x" } as const;

    test("the first that can be decoded is heard", async () => {
      const inputs = ["-i", at("clip.mp4"), "-map", "0:v", "-map", "0:a", "-map", "0:a"];
      const both = makeMedia(at("both.mp4"), ...inputs, "-c", "copy");
      const file = changeCodec(both, at("both-odd.mp4"), { ...toMute, count: 1 });
      expect((await tools.probe(file, { signal })).unknownCodecs).toEqual(["xx9x"]);
      expect((await hear(file)).sounds).toHaveLength(1);
    });

    test("one without anything to hear is passed over", async () => {
      const silence = ["-f", "lavfi", "-i", "anullsrc=duration=2"];
      const hiss = ["-f", "lavfi", "-i", "anoisesrc=amplitude=0.0005:duration=2"];
      for (const [name, first] of [
        ["silence", silence],
        ["hiss", hiss],
      ] as const) {
        const inputs = [...first, ...SOURCES.tone(2)];
        const file = makeMedia(at(`${name}.mkv`), ...inputs, "-map", "0", "-map", "1");
        expect((await hear(file)).sounds).toHaveLength(1);
      }
    });

    test("the first is heard where both can be", async () => {
      const quieter = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2,volume=-6dB"];
      const inputs = [...quieter, ...SOURCES.tone(1)];
      const file = makeMedia(at("two.mkv"), ...inputs, "-map", "0", "-map", "1");
      expect((await hear(file)).durationMs).toBeGreaterThan(1_900);
    });

    test("a codec that ffmpeg does not know is unsupported, and named", async () => {
      const mute = changeCodec(at("clip.mp4"), at("unheard.mp4"), toMute);
      expect(await tools.probe(mute, { signal })).toMatchObject({
        hasAudio: true,
        hasVideo: true,
        unknownCodecs: ["xx9x"],
      });
      await expect(hear(mute)).rejects.toMatchObject({
        code: "unsupported",
        message: "the sound is in the codec xx9x, which ffmpeg here cannot decode",
      });
      expect(await look(mute)).toHaveLength(3);
      const toUnseen = { from: "avc1", to: "bvc2" } as const;
      const unseen = changeCodec(at("clip.mp4"), at("unseen.mp4"), toUnseen);
      await expect(look(unseen)).rejects.toMatchObject({
        code: "unsupported",
        message: "the video is in the codec bvc2, which ffmpeg here cannot decode",
      });
      expect((await hear(unseen)).sounds).toHaveLength(1);
    });

    test("sound of next to no length is no sound", async () => {
      const blip = makeMedia(at("blip.mp4"), ...SOURCES.pattern(1), ...SOURCES.tone(0.05));
      await expect(hear(blip)).rejects.toMatchObject({ code: "no_audio" });
      expect((await tools.probe(blip, { signal })).durationMs).toBeGreaterThan(900);
    });

    test("damage in the middle costs what is damaged and no more", async () => {
      const clip = await readFile(at("clip.mp4"));
      const middle = clip.lastIndexOf("mdat") + (clip.length - clip.lastIndexOf("mdat")) / 2;
      const damaged = await write(
        "damaged.mp4",
        Buffer.from(clip).fill(0xff, middle, middle + 2_000),
      );
      expect((await hear(damaged)).durationMs).toBeGreaterThan(1_000);
      expect(await look(damaged)).not.toEqual([]);
    });
  });

  describe("pictures of a video", () => {
    test.skipIf(!hasEncoder("libx265"))(
      "of ten bits in HEVC are read (needs an ffmpeg with libx265)",
      async () => {
        const codec = "-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le".split(" ");
        const clip = makeMedia(at("ten.mp4"), ...SOURCES.pattern(2), ...codec);
        const [frame = ""] = await look(clip);
        // Colour of eight bits.
        expect([...(await readFile(frame)).subarray(24, 26)]).toEqual([8, 2]);
      },
    );

    test("that lies on its side are turned as players turn it", async () => {
      const turned = makeMedia(
        at("turned.mp4"),
        "-i",
        at("clip.mp4"),
        "-c",
        "copy",
        "-metadata:s:v",
        "rotate=90",
      );
      const [frame = ""] = await look(turned);
      const png = await readFile(frame);
      expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([320, 180]);
    });

    test("in fragments without a duration are spread over the clip", async () => {
      const flags = ["-movflags", "frag_keyframe+empty_moov"];
      const clip = makeMedia(at("frag.mp4"), "-i", at("clip.mp4"), "-c", "copy", ...flags);
      const contents = await Promise.all(
        (await look(clip)).map((frame) => readFile(frame, "latin1")),
      );
      expect(new Set(contents).size).toBe(3);
    });
  });

  describe("a picture", () => {
    const toSize = async (path: string) => {
      await tools.toPicture(path, at("picture.png"), { signal });
      const png = await readFile(at("picture.png"));
      return [png.readUInt32BE(16), png.readUInt32BE(20)];
    };

    test.each(["many.gif", "many.apng"])("of many frames is its first: %s", async (name) => {
      const many = makeMedia(
        at(name),
        ...SOURCES.pattern(2),
        ...(name.endsWith("apng") ? ["-f", "apng"] : []),
      );
      expect(await toSize(many)).toEqual([180, 320]);
    });

    const blank = (name: string, size: string) =>
      makeMedia(at(name), "-f", "lavfi", "-i", `color=size=${size}`, "-frames:v", "1");

    test("of many pixels is made smaller", async () => {
      const [width = 0, height = 0] = await toSize(blank("large.png", "4500x3000"));
      expect(width * height).toBeLessThan(8_100_000);
      expect(width / height).toBeCloseTo(1.5, 2);
    });

    test("that is only tall stays legible", async () => {
      expect(await toSize(blank("tall.png", "1000x7000"))).toEqual([1_000, 7_000]);
    });

    test("of more pixels than anybody should decode is too_large", async () => {
      const huge = blank("huge.png", "9000x5000");
      await expect(toSize(huge)).rejects.toMatchObject({ code: "too_large" });
    });

    test("that ffmpeg cannot decode is unsupported or broken, and named", async () => {
      const heic = await write("odd.heic", "\0\0\0\x18ftypheic\0\0\0\0mif1heic", Buffer.alloc(500));
      await expect(toSize(heic)).rejects.toMatchObject({
        code: "unsupported",
        message: expect.stringContaining("HEIC"),
      });
      const broken = await write(
        "broken.jpg",
        Buffer.from([0xff, 0xd8, 0xff, 0xe0]),
        Buffer.alloc(500),
      );
      await expect(toSize(broken)).rejects.toMatchObject({ code: "corrupt_media" });
    });
  });
});
