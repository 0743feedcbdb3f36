import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MediaTools, sha256, type Storage } from "@clipmill/domain";
import {
  createFileStorage,
  createImportStore,
  createMediaTools,
  importFile,
} from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFileSource } from "../../../packages/providers/src/posts/file/file-source.ts";
import { describePostSource } from "../../support/conformance/describe-post-source.ts";
import { hasFfmpeg, makeClip, makeMedia, SOURCES } from "../../support/posts/media-fixtures.ts";

const ID = "7345678901234567890";
const MEDIA = Buffer.from("\0\0\0\x18ftypisom and the rest of a clip", "latin1");
const signal = new AbortController().signal;

/** In place of ffprobe, whose part is tested with the media tools. */
const probed = (found: { hasAudio: boolean; hasVideo: boolean }) =>
  ({ probe: async () => ({ durationMs: 1_000, ...found }) }) as unknown as MediaTools;

let directory: string;
let storage: Storage;
const at = (name: string) => join(directory, name);
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-import-"));
  storage = await createFileStorage({ directory: at("home") });
});
afterEach(() => rm(directory, { recursive: true }));

const importAs = (
  name: string,
  { media = probed({ hasAudio: true, hasVideo: true }), maxBytes = 1_000_000 } = {},
) => importFile({ path: at(name), storage, media, signal, maxBytes });
const listMedia = async () =>
  (await readdir(at("home/media"), { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );

describe("importing a file", () => {
  test("stores it under its hash and knows nothing else about it", async () => {
    await writeFile(at("clip.mp4"), MEDIA);
    const { postId, fetched } = await importAs("clip.mp4");
    expect(postId).toBe(`file-${sha256(MEDIA)}`);
    expect(fetched.media).toEqual({ kind: "stored", sha256: sha256(MEDIA) });
    expect(await storage.has(`media/${sha256(MEDIA)}`)).toBe(true);
  });

  test.each(["clip.json", "clip.mp4.json"])("reads the detail in %s", async (name) => {
    await writeFile(at("clip.mp4"), MEDIA);
    await writeFile(at(name), JSON.stringify({ id: ID, title: "Mine", author: "ada" }));
    const { postId, fetched } = await importAs("clip.mp4");
    // Whoever asks for that post gets the post, not this file.
    expect(postId).toBe(`file-${sha256(MEDIA)}`);
    const url = `https://www.tiktok.com/@ada/video/${ID}`;
    expect(fetched.post).toMatchObject({ url, title: "Mine", author: { uniqueId: "ada" } });
  });

  test("prefers the detail that names the whole file", async () => {
    await writeFile(at("clip.mp4"), MEDIA);
    await writeFile(at("clip.json"), '{"title":"other"}');
    await writeFile(at("clip.mp4.json"), '{"title":"mine"}');
    expect((await importAs("clip.mp4")).fetched.post.title).toBe("mine");
  });

  test.each([
    ["a missing file", "none.mp4", "invalid_request", /^no such file: .*none\.mp4$/],
    ["a directory", "folder", "invalid_request", /^not a regular file/],
    ["a pipe, without waiting for its writer", "fifo", "invalid_request", /^not a regular file/],
    ["an empty file", "empty.mp4", "corrupt_media", /^the file is empty/],
    ["text named .mp4", "text.mp4", "unsupported", /^not a media file/],
    ["a playlist named .mp4", "playlist.mp4", "unsupported", /^not a media file/],
    ["a file over the limit", "large.mp4", "too_large", /limit of 1000 bytes/],
    [
      "a detail that is no JSON",
      "broken.mp4",
      "invalid_request",
      /^broken\.json is not valid JSON/,
    ],
  ])("refuses %s and stores nothing", async (_what, name, code, message) => {
    await mkdir(at("folder"));
    execFileSync("mkfifo", [at("fifo")]);
    await writeFile(at("empty.mp4"), "");
    await writeFile(at("text.mp4"), "This is a text file, whatever its name says.");
    await writeFile(at("playlist.mp4"), "#EXTM3U\nfile:///etc/passwd\n");
    await writeFile(at("large.mp4"), Buffer.concat([MEDIA, Buffer.alloc(1_000)]));
    await writeFile(at("broken.mp4"), MEDIA);
    await writeFile(at("broken.json"), "{");
    const imported = importAs(name, { maxBytes: 1_000 });
    await expect(imported).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    if (name !== "broken.mp4") expect(await listMedia()).toEqual([]);
  });

  test("refuses a file with neither audio nor video", async () => {
    await writeFile(at("clip.mp4"), MEDIA);
    const imported = importAs("clip.mp4", { media: probed({ hasAudio: false, hasVideo: false }) });
    await expect(imported).rejects.toMatchObject({ code: "no_content" });
    expect(await listMedia()).toEqual([]);
  });

  test.skipIf(!hasFfmpeg)(
    "takes a real clip, and refuses a picture and a cut clip (needs ffmpeg)",
    async () => {
      const media = createMediaTools({ ffmpegPath: "ffmpeg", ffprobePath: "ffprobe" });
      makeClip(at("clip.mp4"));
      makeMedia(at("still.png"), ...SOURCES.pattern(1), "-frames:v", "1");
      const clip = await readFile(at("clip.mp4"));
      await writeFile(at("cut.mp4"), clip.subarray(0, clip.length / 2));
      expect((await importAs("clip.mp4", { media })).postId).toBe(`file-${sha256(clip)}`);
      await expect(importAs("still.png", { media })).rejects.toMatchObject({ code: "no_content" });
      await expect(importAs("cut.mp4", { media })).rejects.toMatchObject({ code: "corrupt_media" });
    },
  );
});

describe("the store of imports", () => {
  const open = () => createImportStore({ directory: at("home") });

  test("gives back what was saved, to another process as well", async () => {
    await writeFile(at("clip.mp4"), MEDIA);
    const { postId, fetched } = await importAs("clip.mp4");
    expect(await open().find(postId)).toBeNull();
    await open().save(fetched);
    expect(await open().find(postId)).toEqual(fetched);
    expect((await stat(at(`home/imports/${postId}.json`))).mode & 0o777).toBe(0o600);
    expect(await readdir(at("home/imports"))).toHaveLength(1);
  });

  test("keeps ids that are no ids out of the file system", async () => {
    await expect(open().find("../../etc/passwd")).rejects.toMatchObject({ code: "invalid_input" });
  });

  test("says so when a stored import cannot be read", async () => {
    await mkdir(at("home/imports"), { recursive: true });
    await writeFile(at(`home/imports/${ID}.json`), "{");
    await expect(open().find(ID)).rejects.toMatchObject({ code: "storage_failed" });
  });
});

describePostSource(
  "file",
  async () => {
    const home = await mkdtemp(join(tmpdir(), "clipmill-file-source-"));
    const files = await createFileStorage({ directory: home });
    const imports = createImportStore({ directory: home });
    const path = join(home, "clip.mp4");
    await writeFile(path, MEDIA);
    const media = probed({ hasAudio: true, hasVideo: true });
    const { postId, fetched } = await importFile({
      path,
      storage: files,
      media,
      signal,
      maxBytes: 1_000,
    });
    await imports.save(fetched);
    return {
      source: createFileSource({ storage: files, readDetail: imports.find }),
      posts: { video: postId, slideshow: null, private: null, gone: null },
      breakNext: null,
      close: () => rm(home, { recursive: true }),
    };
  },
  { absent: ["slideshow", "private", "gone", "faults", "lists"] },
);

describe("the file source", () => {
  test("knows a stored file by its hash alone, and no other post", async () => {
    const source = createFileSource({ storage, readDetail: async () => null });
    async function* content() {
      yield MEDIA;
    }
    await storage.write("media", content(), { maxBytes: 1_000, signal });
    const postId = `file-${sha256(MEDIA)}`;
    const { post, media } = await source.fetchPost({ postId, link: null }, { signal });
    expect(post).toMatchObject({ postId, title: "" });
    expect(media).toEqual({ kind: "stored", sha256: sha256(MEDIA) });
    for (const unknown of [`file-${"0".repeat(64)}`, ID]) {
      const fetched = source.fetchPost({ postId: unknown, link: null }, { signal });
      await expect(fetched).rejects.toMatchObject({ code: "not_found" });
    }
  });
});
