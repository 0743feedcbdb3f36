import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { casePath, hasCases } from "../../support/cases.ts";
import { CORPUS, PICTURES, toPossible } from "../../support/posts/media-corpus.ts";
import { hasFfmpeg, makeMedia } from "../../support/posts/media-fixtures.ts";
import { toMutant } from "../../support/posts/mutants.ts";
import { askHeaders, askPrograms, type Said } from "../../support/posts/plain-media.ts";
import { useMediaTools } from "../../support/posts/use-media-tools.ts";

const PACK = join(import.meta.dirname, "../../../packages/sandbox/pack/media");

/** Whether ffmpeg counts the silence at both ends of an MP3 depends on its version. */
const MP3_PADDING_MS = 100;

function expectSame(said: Said, right: Said, name: string): void {
  expect(said.tracks).toEqual(right.tracks);
  const most = name.endsWith(".mp3") ? MP3_PADDING_MS : 0;
  expect(Math.abs(said.durationMs - right.durationMs)).toBeLessThanOrEqual(most);
}

describe.skipIf(!hasFfmpeg)("headers that are plain (needs ffmpeg)", () => {
  const { at, write } = useMediaTools();

  describe("say what ffprobe and the measure say", () => {
    test.each(toPossible([...CORPUS, ...PICTURES]))(
      "$name, plain: $isPlain",
      async ({ name, args, isPlain }) => {
        const path = makeMedia(at(name), ...args);
        const said = await askHeaders(path);
        expect(said !== null).toBe(isPlain);
        if (said !== null) expectSame(said, await askPrograms(path), name);
      },
    );

    test("of every file of the sandbox", async () => {
      for (const name of await readdir(PACK)) {
        const path = join(PACK, name);
        expect(await askHeaders(path), name).toEqual(await askPrograms(path));
      }
    });

    test.skipIf(!hasCases).each([
      ["03-audio-starts-late", "late5.mp4", true],
      ["04-mp4-trailing-bytes", "tail5.mp4", false],
      ["05-undecodable-audio-track", "unk_aac.mp4", false],
      ["06-silent-track-first", "mutefirst.mp4", false],
      ["07-empty-audio-track", "zeroaudio.mp4", false],
      ["47-hevc10-rotated", "hevc10rot.mp4", true],
      ["48-fragmented-mp4", "frag.mp4", false],
    ])("of what people met: %s (needs ../shared/cases)", async (name, file, isPlain) => {
      const said = await askHeaders(casePath(name, file));
      expect(said !== null).toBe(isPlain);
      if (said !== null) expect(said).toEqual(await askPrograms(casePath(name, file)));
    });
  });

  describe("of damaged files are not plain, or still right", () => {
    /** In most of them a size or a count is wrong; what is left is names, dates and the like. */
    const MUTANTS = 400;
    const MOST_COMPARED = 12;
    const pictures = new Map(PICTURES.map((entry) => [entry.name, entry]));

    test.each(["clip.mp4", "cover.jpg", "cover.png"])("%s", async (name) => {
      const args = pictures.get(name)?.args;
      const whole = readFileSync(args === undefined ? at(name) : makeMedia(at(name), ...args));
      let notPlain = 0;
      let compared = 0;
      for (let seed = 0; seed < MUTANTS; seed++) {
        const mutant = await write(`mutant-${name}`, toMutant(whole, seed));
        // What is no media for anybody is told before its headers are read.
        const said = await askHeaders(mutant).catch((error: unknown) => {
          expect(error, `seed ${seed}`).toMatchObject({ code: "corrupt_media" });
          return null;
        });
        if (said === null) notPlain++;
        else if (compared++ < MOST_COMPARED) {
          expect(said, `seed ${seed}`).toEqual(await askPrograms(mutant));
        }
      }
      expect(notPlain).toBeGreaterThan(MUTANTS / 4);
      expect(compared).toBeGreaterThan(0);
    });

    test("cut off anywhere", async () => {
      const whole = readFileSync(at("clip.mp4"));
      for (let bytes = whole.length - 1; bytes > 40; bytes -= Math.ceil(whole.length / 60)) {
        const cut = await write("cut.mp4", whole.subarray(0, bytes));
        expect(await askHeaders(cut).catch(() => null), `${bytes} bytes`).toBeNull();
      }
    });
  });
});
