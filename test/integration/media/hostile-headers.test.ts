import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import { hasFfmpeg, makeMedia, SOURCES } from "../../support/posts/media-fixtures.ts";
import { askHeaders } from "../../support/posts/plain-media.ts";
import { useMediaTools } from "../../support/posts/use-media-tools.ts";

const MANY = 0xff_ff_ff_ff;

/** A box of an MP4: its head, then `content`. */
function toBox(type: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + content.length, 0);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, content]);
}

const FIRST_BOX = toBox("ftyp", Buffer.from("isom\0\0\0\0isom"));
const MEDIA_BOX = toBox("mdat", Buffer.alloc(100));

describe.skipIf(!hasFfmpeg)("headers that somebody made to cost us dear (needs ffmpeg)", () => {
  const { tools, at, write } = useMediaTools();
  const signal = new AbortController().signal;

  test.each(["stts", "ctts", "stsc", "stsz", "stco", "stss", "elst", "stsd", "dref"])(
    "are not plain: %s of four thousand million entries",
    async (type) => {
      const codec = "-c:v libx264 -bf 3 -pix_fmt yuv420p".split(" ");
      const bytes = readFileSync(makeMedia(at("order.mp4"), ...SOURCES.pattern(1), ...codec));
      expect(await askHeaders(at("order.mp4"))).not.toBeNull();
      bytes.writeUInt32BE(MANY, bytes.indexOf(type) + (type === "stsz" ? 12 : 8));
      expect(await askHeaders(await write("many.mp4", bytes))).toBeNull();
    },
  );

  test.each([
    ["stts", 12],
    ["stsc", 16],
  ])("are not plain: a run of four thousand million samples in %s", async (type, after) => {
    const bytes = readFileSync(at("clip.mp4"));
    bytes.writeUInt32BE(MANY, bytes.indexOf(type) + after);
    const path = await write("runs.mp4", bytes);
    expect(await askHeaders(path).catch(() => null)).toBeNull();
  });

  test.each(["stsz", "stsc", "stco"])(
    "are not plain: a number in %s that is one too large or too small",
    async (type) => {
      const whole = readFileSync(at("clip.mp4"));
      let changed = 0;
      for (let box = whole.indexOf(type); box >= 0; box = whole.indexOf(type, box + 1)) {
        const end = box - 4 + whole.readUInt32BE(box - 4);
        // Behind version and flags.
        for (let place = box + 8; place < end; place += 4) {
          const bytes = Buffer.from(whole);
          bytes.writeInt32BE(bytes.readInt32BE(place) + (changed++ % 2 === 0 ? 1 : -1), place);
          const said = await askHeaders(await write("changed.mp4", bytes)).catch(() => null);
          expect(said, `${type} at ${place - box}`).toBeNull();
        }
      }
      expect(changed).toBeGreaterThan(10);
    },
  );

  test("are not plain: boxes in boxes in boxes", async () => {
    const depth = 100_000;
    const nested = Buffer.alloc(depth * 8);
    for (let level = 0; level < depth; level++) {
      nested.writeUInt32BE((depth - level) * 8, level * 8);
      nested.write(level === 0 ? "moov" : "trak", level * 8 + 4, "latin1");
    }
    const path = await write("nested.mp4", FIRST_BOX, nested, MEDIA_BOX);
    expect(await askHeaders(path)).toBeNull();
    await expect(tools.probe(path, { signal })).rejects.toMatchObject({
      name: "UnrecoverableError",
    });
  });

  test("are not plain: more boxes than anybody needs", async () => {
    const empty = toBox("free", Buffer.alloc(0));
    const index = toBox("moov", Buffer.concat(Array.from({ length: 100_000 }, () => empty)));
    expect(await askHeaders(await write("boxes.mp4", FIRST_BOX, index, MEDIA_BOX))).toBeNull();
    const boxes = Array.from({ length: 1_000 }, () => empty);
    const clip = readFileSync(at("clip.mp4"));
    expect(await askHeaders(await write("more.mp4", clip, ...boxes))).toBeNull();
  });

  test("are not read at all: an index of more than a megabyte", async () => {
    const index = toBox("moov", Buffer.alloc(2_000_000));
    expect(await askHeaders(await write("large.mp4", FIRST_BOX, index, MEDIA_BOX))).toBeNull();
  });

  test("are not plain: a tag that ends after the file", async () => {
    const tag = Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0x7f, 0x7f, 0x7f, 0x7f]);
    expect(await askHeaders(await write("tag.mp3", tag, Buffer.alloc(100)))).toBeNull();
  });

  test("while those of half an hour leave the loop free", async () => {
    const again = "-stream_loop 900 -i".split(" ");
    const path = makeMedia(at("long.mp4"), ...again, at("clip.mp4"), "-c", "copy");
    await askHeaders(path);
    const delays = monitorEventLoopDelay({ resolution: 5 });
    delays.enable();
    const said = await askHeaders(path);
    delays.disable();
    expect(said?.durationMs).toBeGreaterThan(1_800_000);
    // It takes 2 ms; the rest is for a machine that does much else.
    expect(delays.max / 1e6).toBeLessThan(250);
  });
});
