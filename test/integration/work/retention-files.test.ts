import { mkdtemp, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sweepFiles, sweepOrphans } from "@clipmill/db";
import { sha256, type Storage } from "@clipmill/domain";
import { fileProducers } from "@clipmill/pipeline";
import { createFileStorage } from "@clipmill/providers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

const { signal } = new AbortController();

let fixture: WorkFixture;
let directory: string;
let storage: Storage;

beforeEach(async () => {
  fixture = await openWorkFixture();
  directory = await mkdtemp(join(tmpdir(), "clipmill-files-"));
  storage = await createFileStorage({ directory });
});
afterEach(async () => {
  await fixture[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

test("a file that two rows name counts once towards the size of all", async () => {
  const shared = sha256("shared");
  await fixture.rows(
    `insert into prepared_audio (media_sha256, recipe, audio_sha256, bytes, duration_ms)
     select n::text, 'wav', $1, 100, 1 from generate_series(1, 2) n`,
    [shared],
  );
  const sweep = async (maxBytes: number) => {
    const deleted: string[] = [];
    await sweepFiles(fixture.database, {
      mediaDays: 0,
      audioDays: 0,
      maxBytes,
      producers: fileProducers,
      deleteFile: async (key) => void deleted.push(key),
      signal,
    });
    return deleted;
  };
  expect(await sweep(150)).toEqual([]);
  expect(await sweep(50)).toEqual([`audio/${shared}`]);
});

test("a file that no row knows stays if it is written again after it was listed", async () => {
  async function* content() {
    yield Buffer.from("again");
  }
  const { key } = await storage.write("media", content(), { maxBytes: 99, signal });
  async function* files() {
    yield { key, writtenAt: new Date(0) };
  }
  const sweep = () =>
    sweepOrphans(fixture.database, {
      files: files(),
      kind: "media",
      writtenBefore: new Date(Date.now() - 60_000),
      deleteFile: storage.delete,
      signal,
    });
  await sweep();
  expect(await storage.has(key)).toBe(true);
  const hash = sha256("again");
  await utimes(join(directory, "media", hash.slice(0, 2), hash), 0, 0);
  await sweep();
  expect(await storage.has(key)).toBe(false);
});
