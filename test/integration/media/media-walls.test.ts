import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMediaTools } from "@clipmill/providers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toInputOptions } from "../../../packages/providers/src/media/input-options.ts";
import { type Loopback, startLoopback } from "../../support/fakes/loopback.ts";
import { hasFfmpeg, makeClip, makeSilentClip } from "../../support/posts/media-fixtures.ts";
import { toSilence } from "../../support/servers/programs.ts";

const signal = new AbortController().signal;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-walls-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

/** A box of an MP4 file; `size` lies where it is not that of the content. */
function toBox(type: string, content: Uint8Array, size = content.byteLength + 8): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(size);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, content]);
}

const FTYP = toBox("ftyp", Buffer.from("isom\0\0\x02\0isomiso2"));
const MDAT = toBox("mdat", Buffer.alloc(1_000, 1));
const MOOV = toBox("moov", Buffer.alloc(100));

describe("files that are broken before any program looks at them", () => {
  const tools = createMediaTools({ ffmpegPath: "/nowhere", ffprobePath: "/nowhere" });
  const broken: [what: string, content: Buffer | string][] = [
    ["of zero length", ""],
    ["without an index (no moov)", Buffer.concat([FTYP, MDAT])],
    [
      "with a box that says more than there is",
      Buffer.concat([FTYP, MOOV, toBox("mdat", MDAT, 9_000)]),
    ],
    ["cut off within the index", Buffer.concat([FTYP, MDAT, MOOV.subarray(0, 60)])],
    [
      "of boxes without end",
      Buffer.concat([FTYP, toBox("free", Buffer.alloc(0), 8), toBox("mdat", MDAT, 2 ** 32 - 1)]),
    ],
    ["that are a page", "<!DOCTYPE html><title>Access denied</title>"],
    ["that are a playlist", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"],
    ["that are a list of files", "ffconcat version 1.0\nfile '/etc/passwd'\n"],
    ["that are an archive", "PK\u0003\u0004 and so on"],
  ];
  test.each(broken)("%s are corrupt_media", async (_what, content) => {
    const path = await write("clip.mp4", content);
    const calls = [
      () => tools.probe(path, { signal }),
      () => tools.toWav(path, join(directory, "out.wav"), { signal }),
      () => tools.toFrames(path, directory, { signal, maxCount: 1, everyMs: 1_000 }),
      () => tools.toPicture(path, join(directory, "out.png"), { signal }),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "corrupt_media" });
  });

  test("a whole one gets past this wall to the program, which is missing here", async () => {
    const path = await write("whole.mp4", Buffer.concat([FTYP, MOOV, MDAT]));
    await expect(tools.probe(path, { signal })).rejects.toMatchObject({
      code: "engine_unavailable",
    });
  });
});

describe.skipIf(!hasFfmpeg)("files that only ffmpeg can judge (needs ffmpeg)", () => {
  const tools = createMediaTools({ ffmpegPath: "ffmpeg", ffprobePath: "ffprobe", maxSeconds: 3 });

  test("24 hours of audio are neither measured nor decoded far beyond the limit", async () => {
    const path = await write("day.wav", toSilence(1));
    // The header claims a day, and the file is as long: 2.8 GB of hole, which takes no disk.
    const bytes = 86_400 * 32_000;
    const file = await open(path, "r+");
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes);
    await file.write(size, 0, 4, 40);
    size.writeUInt32LE(bytes + 36);
    await file.write(size, 0, 4, 4);
    await file.close();
    await truncate(path, 44 + bytes);
    const { durationMs } = await tools.probe(path, { signal });
    expect(durationMs).toBe(4_000);
    const made = tools.toWav(path, join(directory, "day-out.wav"), { signal });
    await expect(made).rejects.toMatchObject({ code: "too_long" });
  });

  test("a picture that claims 100,000 by 100,000 pixels is too_large, though it holds none", async () => {
    const header = Buffer.alloc(25);
    header.writeUInt32BE(13, 0);
    header.write("IHDR", 4, "latin1");
    header.writeUInt32BE(100_000, 8);
    header.writeUInt32BE(100_000, 12);
    header.set([8, 2, 0, 0, 0], 16);
    const path = await write(
      "huge.png",
      Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), header, Buffer.alloc(64)]),
    );
    // Older programs refuse to read it at all.
    await expect(tools.probe(path, { signal })).rejects.toMatchObject({
      code: expect.stringMatching(/^(too_large|corrupt_media)$/),
    });
  });

  test("a video without audio is told so, and is no failure", async () => {
    const path = makeSilentClip(join(directory, "silent.mp4"));
    expect(await tools.probe(path, { signal })).toMatchObject({ hasAudio: false, hasVideo: true });
  });
});

describe.skipIf(!hasFfmpeg)("a playlist that got past the sniffer (needs ffmpeg)", () => {
  let inside: Loopback;
  let playlist: string;
  beforeAll(async () => {
    const clip = makeClip(join(directory, "inside.mp4"), 1);
    inside = await startLoopback((_request, response) => response.end("secret"));
    playlist = await write(
      "playlist.mp4",
      `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${inside.origin}/leak.ts\n#EXTINF:1,\nfile:${clip}\n#EXT-X-ENDLIST\n`,
    );
  });
  afterAll(() => inside.close());

  /** What ffmpeg writes; asynchronously, or the listener could not notice who calls. */
  async function run(...options: string[]): Promise<{ failed: boolean; wrote: number }> {
    const to = ["-map", "0", "-c", "copy", "-f", "mpegts", "-"];
    const child = execFile("ffmpeg", [...options, "-i", `file:${playlist}`, ...to], {
      encoding: "buffer",
      timeout: 20_000,
    });
    let wrote = 0;
    child.stdout?.on("data", (chunk: Buffer) => (wrote += chunk.byteLength));
    const [code] = (await once(child, "close")) as [number | null];
    return { failed: code !== 0, wrote };
  }
  const MP4 = { name: "mp4", kind: "av", demuxer: "mov" } as const;
  const AS_PLAYLIST = toInputOptions({ ...MP4, demuxer: "hls" });

  test("is not opened as a playlist: the demuxer is forced", async () => {
    expect(await run(...toInputOptions(MP4))).toEqual({ failed: true, wrote: 0 });
    expect(inside.connections()).toBe(0);
  });

  test("calls nobody even as a playlist: the protocols are listed", async () => {
    await run(...AS_PLAYLIST, "-allowed_extensions", "ALL");
    expect(inside.connections()).toBe(0);
  });

  test("is dangerous without these walls: with other protocols it does call", async () => {
    const open = AS_PLAYLIST.map((option) =>
      option === "file,pipe" ? "file,pipe,http,tcp" : option,
    );
    expect(open).not.toEqual(AS_PLAYLIST);
    await run(...open, "-allowed_extensions", "ALL");
    expect(inside.connections()).toBeGreaterThan(0);
  });
});
