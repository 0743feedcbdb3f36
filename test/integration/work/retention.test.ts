import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createDatabase,
  createRefetch,
  createWorkStore,
  type Database,
  sweepFiles,
  sweepOrphans,
} from "@clipmill/db";
import { sha256, type Storage, type StorageKey, type WorkStore } from "@clipmill/domain";
import { fileProducers, pipelines } from "@clipmill/pipeline";
import { createFileStorage } from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRefetchingStorage } from "../../../apps/worker/src/refetching-storage.ts";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import {
  createMediaPipeline,
  MEDIA_RECIPES,
  type MediaPipeline,
} from "../../support/posts/media-pipeline.ts";
import { newPostId, silentLog, toSubmission } from "../../support/work/toy-pipeline.ts";

let testDatabase: TestDatabase;
let database: Database;
let work: WorkStore;
let directory: string;
let storage: Storage;
let pipeline: MediaPipeline;

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 8, name: "test", onError() {} });
  work = createWorkStore(database, { pipelines, leaseMs: 30_000, queuedForMs: 60_000 });
  directory = await mkdtemp(join(tmpdir(), "clipmill-retention-"));
  storage = await createFileStorage({ directory });
  const refetch = createRefetch(database, { producers: fileProducers });
  const refetching = createRefetchingStorage(storage, { refetch, log: silentLog });
  pipeline = createMediaPipeline(work, refetching);
});
afterEach(async () => {
  await database.close();
  await testDatabase.drop();
  await rm(directory, { recursive: true });
});

async function rows<T>(sql: string, values: unknown[] = []): Promise<T[]> {
  return (await database.pool.query(sql, values)).rows as T[];
}

/** Asks for a transcript; each language needs a recognition of its own. */
async function ask(postId: string, language: string | null = null) {
  const submission = { recipes: MEDIA_RECIPES, outputs: ["transcript" as const], language };
  const [accepted] = await work.accept([toSubmission(postId, submission)]);
  if (accepted === undefined) throw new Error("not accepted");
  return accepted;
}

async function stateOf(requestId: string) {
  const [row] = await rows<{ state: string; code: string | null }>(
    "select state, error_code as code from request where id = $1",
    [requestId],
  );
  return row;
}

/** A post whose transcript is stored. */
async function finish(clip: string): Promise<string> {
  const postId = newPostId();
  pipeline.clips.set(postId, clip);
  const { requestId } = await ask(postId);
  await pipeline.drain();
  expect(await stateOf(requestId)).toEqual({ state: "done", code: null });
  return postId;
}

const mediaKey = (clip: string): StorageKey => `media/${sha256(clip)}`;
const audioKey = (clip: string): StorageKey => `audio/${sha256(`sound of ${clip}`)}`;

async function age(days: number, ...clips: string[]): Promise<void> {
  const back = `set stored_at = now() - make_interval(days => $1) where`;
  const media = clips.map((clip) => sha256(clip));
  await rows(`update media ${back} sha256 = any ($2)`, [days, media]);
  await rows(`update prepared_audio ${back} media_sha256 = any ($2)`, [days, media]);
}

const NO_LIMITS = { mediaDays: 0, audioDays: 0, maxBytes: 0 };

function sweep(limits: Partial<typeof NO_LIMITS>, deleted: string[] = []) {
  return sweepFiles(database, {
    ...NO_LIMITS,
    ...limits,
    producers: fileProducers,
    signal: new AbortController().signal,
    async deleteFile(key) {
      deleted.push(key);
      await storage.delete(key);
    },
  });
}

describe("retention", () => {
  test("deletes files by their own kind's age, and nothing without a limit", async () => {
    await finish("old");
    await finish("young");
    await age(40, "old");
    expect(await sweep({})).toEqual({ media: 0, audio: 0, bytes: 0 });
    expect(await sweep({ mediaDays: 30, audioDays: 60 })).toEqual({
      media: 1,
      audio: 0,
      bytes: "old".length,
    });
    expect(await storage.has(mediaKey("old"))).toBe(false);
    for (const key of [audioKey("old"), mediaKey("young"), audioKey("young")]) {
      expect(await storage.has(key)).toBe(true);
    }
    expect(await sweep({ audioDays: 30 })).toMatchObject({ media: 0, audio: 1 });
    expect(await storage.has(audioKey("old"))).toBe(false);
    expect(await sweep({ mediaDays: 30, audioDays: 30 })).toEqual({ media: 0, audio: 0, bytes: 0 });
  });

  test("leaves texts alone: what is stored is answered at once, without the upstream", async () => {
    const postId = await finish("old");
    await age(40, "old");
    await sweep({ mediaDays: 30, audioDays: 30 });
    pipeline.clips.set(postId, null);
    expect(await ask(postId)).toMatchObject({ state: "done" });
  });

  test("keeps what an open request needs, even if another post shares the file", async () => {
    await finish("shared");
    const postId = newPostId();
    pipeline.clips.set(postId, "shared");
    const { requestId } = await ask(postId, "de");
    pipeline.ran.length = 0;
    await pipeline.drain("download");
    expect((await stateOf(requestId))?.state).toBe("open");
    await age(40, "shared");
    expect(await sweep({ mediaDays: 30, audioDays: 30, maxBytes: 1 })).toMatchObject({ media: 0 });
    expect(await storage.has(mediaKey("shared"))).toBe(true);
    await pipeline.drain();
    expect((await stateOf(requestId))?.state).toBe("done");
    expect(await sweep({ mediaDays: 30 })).toMatchObject({ media: 1 });
  });

  test("above the size the oldest go, media before audio, and no more than must", async () => {
    for (const [days, clip] of [
      ["3", "aaa"],
      ["2", "bbb"],
      ["1", "ccc"],
    ] as const) {
      await finish(clip);
      await age(Number(days), clip);
    }
    const audio = 3 * "sound of aaa".length;
    const deleted: string[] = [];
    await sweep({ maxBytes: audio + 5 }, deleted);
    expect(deleted).toEqual([mediaKey("aaa"), mediaKey("bbb")]);
    await sweep({ maxBytes: audio - 1 }, deleted);
    expect(deleted.slice(2)).toEqual([mediaKey("ccc"), audioKey("aaa")]);
    await sweep({ maxBytes: audio }, deleted);
    expect(deleted).toHaveLength(4);
  });

  test("goes through many batches, past those that it keeps, and two sweepers share the work", async () => {
    await rows(`insert into media (sha256, kind, bytes, has_audio, has_video, stored_at)
      select encode(sha256(n::text::bytea), 'hex'), 'video', 10, true, true, now() - interval '40 days'
      from generate_series(1, 230) as n`);
    const deleted: string[] = [];
    const limits = { mediaDays: 30 };
    const counts = await Promise.all([sweep(limits, deleted), sweep(limits, deleted)]);
    expect(new Set(deleted).size).toBe(230);
    expect(counts.reduce((sum, { media }) => sum + media, 0)).toBe(230);
    expect(await rows("select 1 from media where removed_at is null")).toEqual([]);
  });

  test("a file that cannot be deleted keeps its row, and the next round has it", async () => {
    await finish("old");
    await age(40, "old");
    const broken = new Error("the disk is read-only");
    const failing = sweepFiles(database, {
      ...NO_LIMITS,
      mediaDays: 30,
      producers: fileProducers,
      signal: new AbortController().signal,
      deleteFile: () => Promise.reject(broken),
    });
    await expect(failing).rejects.toBe(broken);
    expect(await sweep({ mediaDays: 30 })).toMatchObject({ media: 1 });
  });
});

describe("files that no row knows", () => {
  async function* content(text: string) {
    yield Buffer.from(text);
  }
  const signal = new AbortController().signal;
  const drop = (writtenBefore: Date) =>
    sweepOrphans(database, {
      files: storage.list("media"),
      kind: "media",
      writtenBefore,
      deleteFile: storage.delete,
      signal,
    });

  test("are deleted once they are old, and no others", async () => {
    await finish("known");
    const { key } = await storage.write("media", content("broken"), { maxBytes: 99, signal });
    expect(await drop(new Date(Date.now() - 60_000))).toBe(0);
    expect(await storage.has(key)).toBe(true);
    expect(await drop(new Date(Date.now() + 60_000))).toBe(1);
    expect(await storage.has(key)).toBe(false);
    expect(await storage.has(mediaKey("known"))).toBe(true);
  });

  test("may be ones that were deleted and came back without a job", async () => {
    await finish("old");
    await age(40, "old");
    await sweep({ mediaDays: 30 });
    await storage.write("media", content("old"), { maxBytes: 99, signal });
    expect(await drop(new Date(Date.now() + 60_000))).toBe(1);
  });
});

describe("a file that is needed again", () => {
  test("is fetched and prepared anew, for the request that needs it", async () => {
    const postId = await finish("clip");
    await age(40, "clip");
    await sweep({ mediaDays: 30, audioDays: 30 });
    pipeline.ran.length = 0;
    const { requestId } = await ask(postId, "de");
    await pipeline.drain();
    expect(await stateOf(requestId)).toEqual({ state: "done", code: null });
    expect(pipeline.ran).toEqual(["download", "prepare-audio", "transcribe"]);
    expect(await storage.has(audioKey("clip"))).toBe(true);
    // Its age counts from now, in its rows as well.
    expect(await sweep({ mediaDays: 30, audioDays: 30 })).toMatchObject({ media: 0, audio: 0 });
    expect(await rows("select 1 from media where removed_at is null")).toHaveLength(1);
  });

  test("may come back as another file: the request goes on with what there is now", async () => {
    const postId = await finish("clip");
    await age(40, "clip");
    await sweep({ mediaDays: 30, audioDays: 30 });
    pipeline.clips.set(postId, "clip, encoded anew");
    const { requestId } = await ask(postId, "de");
    await pipeline.drain();
    expect(await stateOf(requestId)).toEqual({ state: "done", code: null });
    expect(await storage.has(audioKey("clip, encoded anew"))).toBe(true);
  });

  test("may be gone upstream: the request ends with that", async () => {
    const postId = await finish("clip");
    await age(40, "clip");
    await sweep({ mediaDays: 30, audioDays: 30 });
    pipeline.clips.set(postId, null);
    const { requestId } = await ask(postId, "de");
    await pipeline.drain();
    expect(await stateOf(requestId)).toEqual({ state: "skipped", code: "gone" });
  });

  test.each([
    ["media", mediaKey, ["download", "prepare-audio", "transcribe"]],
    ["audio", audioKey, ["prepare-audio", "transcribe"]],
  ] as const)(
    "and whose bits flipped (%s) is found by its hash and replaced",
    async (kind, toKey, ran) => {
      const postId = await finish("clip");
      const key = toKey("clip");
      const hash = key.split("/")[1] ?? "";
      await writeFile(join(directory, kind, hash.slice(0, 2), hash), "flipped");
      // Whoever needs media needs no audio: without its own, the audio is made from it.
      if (kind === "media") await storage.delete(audioKey("clip"));
      pipeline.ran.length = 0;
      const { requestId } = await ask(postId, "de");
      await pipeline.drain();
      expect(await stateOf(requestId)).toEqual({ state: "done", code: null });
      expect(pipeline.ran).toEqual(ran);
      expect(await storage.verify(key, { signal: new AbortController().signal })).toBe("whole");
    },
  );

  test("is not fetched for nobody, and not twice", async () => {
    const postId = await finish("clip");
    const refetch = createRefetch(database, { producers: fileProducers });
    await storage.delete(mediaKey("clip"));
    expect(await refetch(mediaKey("clip"))).toBe(0);
    await ask(postId, "de");
    expect(await refetch(mediaKey("clip"))).toBe(1);
    expect(await refetch(mediaKey("clip"))).toBe(0);
  });
});
