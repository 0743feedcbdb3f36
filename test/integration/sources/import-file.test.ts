import { execFileSync } from "node:child_process";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MediaTools, sha256, type Storage } from "@clipmill/domain";
import {
  createFileStorage,
  createImportStore,
  createMediaTools,
  importFile,
  type ImportFileOptions,
} from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFileSource } from "../../../packages/providers/src/posts/file/file-source.ts";
import { casePath, hasCases } from "../../support/cases.ts";
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
  {
    media = probed({ hasAudio: true, hasVideo: true }),
    maxBytes = 1_000_000,
    ...detail
  }: Partial<ImportFileOptions> = {},
) => importFile({ path: at(name), storage, media, signal, maxBytes, ...detail });
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

  test.each([
    ["the shell's, made for our own output", "", "clip.json is empty"],
    ["another program's", '[{"start":0,"text":"hello"}]', "clip.json holds no JSON object"],
    ["half written", '{"title":', "clip.json is not valid JSON"],
    ["too large", " ".repeat(1_000_001), "clip.json is too large for a post's detail"],
  ])("leaves a neighbour alone that is no detail, and says so: %s", async (_what, text, why) => {
    await writeFile(at("clip.mp4"), MEDIA);
    await writeFile(at("clip.json"), text);
    const notes: string[] = [];
    const { fetched } = await importAs("clip.mp4", { note: (line) => notes.push(line) });
    expect(fetched.post).toMatchObject({ postId: `file-${sha256(MEDIA)}`, title: "" });
    expect(notes).toEqual([`not used as the detail of the clip: ${why}`]);
  });

  test.skipIf(!hasCases).each([
    ["bom.json", "Soup day", 0],
    ["u16.json", "Soup day", 0],
    ["whisperarr.json", "", 1],
  ])(
    "reads or leaves %s, which lay beside a clip (needs ../shared/cases)",
    async (file, title, noteCount) => {
      await writeFile(at("clip.mp4"), MEDIA);
      await writeFile(at("clip.json"), await readFile(casePath("23-sidecar-bom", file)));
      const notes: string[] = [];
      const { fetched } = await importAs("clip.mp4", { note: (line) => notes.push(line) });
      expect(fetched.post.title).toBe(title);
      expect(notes).toHaveLength(noteCount);
    },
  );

  test("takes the detail that was named, wherever it lies, and nothing in its place", async () => {
    await writeFile(at("clip.mp4"), MEDIA);
    await writeFile(at("clip.json"), '{"title":"beside"}');
    await writeFile(at("other.txt"), '\ufeff{"title":"named"}');
    const named = (detailPath: string) => importAs("clip.mp4", { detailPath });
    expect((await named(at("other.txt"))).fetched.post.title).toBe("named");
    await writeFile(at("other.txt"), "{");
    for (const path of ["other.txt", "none.json", "."]) {
      await expect(named(at(path))).rejects.toMatchObject({ code: "invalid_request" });
    }
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
  ])("refuses %s and stores nothing", async (_what, name, code, message) => {
    await mkdir(at("folder"));
    execFileSync("mkfifo", [at("fifo")]);
    await writeFile(at("empty.mp4"), "");
    await writeFile(at("text.mp4"), "This is a text file, whatever its name says.");
    await writeFile(at("playlist.mp4"), "#EXTM3U\nfile:///etc/passwd\n");
    await writeFile(at("large.mp4"), Buffer.concat([MEDIA, Buffer.alloc(1_000)]));
    const imported = importAs(name, { maxBytes: 1_000 });
    await expect(imported).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await listMedia()).toEqual([]);
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

describe("the names of files", () => {
  const NAMES = [
    "my clip.mp4",
    "🍅 soup.mp4",
    "clip%03d.mp4",
    "-clip.mp4",
    "clip",
    "c'l\"ip.mp4",
    "a:b.mp4",
  ];
  test.skipIf(!hasFfmpeg).each(NAMES)("may be %s (needs ffmpeg)", async (name) => {
    const media = createMediaTools({ ffmpegPath: "ffmpeg", ffprobePath: "ffprobe" });
    makeClip(at("original.mp4"));
    await rename(at("original.mp4"), at(name));
    await symlink(at(name), at("link.mp4"));
    const { postId } = await importAs(name, { media });
    expect((await importAs("link.mp4", { media })).postId).toBe(postId);
  });
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
