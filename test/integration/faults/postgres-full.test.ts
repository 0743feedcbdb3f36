import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createDatabase,
  createListener,
  createRequestReader,
  createWorkStore,
  migrateDatabase,
} from "@clipmill/db";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startEmbeddedPostgres } from "@clipmill/postgres";
import { fillDisk, mountSmallDisk, unmountSmallDisk } from "../../support/servers/small-disk.ts";
import { postJob, startTestApi } from "../../support/posts/test-api.ts";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";

const DISK_MB = 400;
const TRIES_MAX = 20_000;
/** Postgres may keep two files of its log in reserve, of 16 MB each: they have to fill up first. */
const BATCHES_MAX = 400;

let root: string;
let disk: string;
const closers: (() => Promise<unknown>)[] = [];

/** Whether this user may mount is found out by doing it. */
async function canMount(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), "clipmill-mount-"));
  const mounted = mountSmallDisk(directory, 1);
  if (mounted) unmountSmallDisk(directory);
  await rm(directory, { recursive: true });
  return mounted;
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "clipmill-full-"));
  disk = join(root, "disk");
  await mkdir(disk);
  mountSmallDisk(disk, DISK_MB);
  closers.push(async () => {
    unmountSmallDisk(disk);
    await rm(root, { recursive: true, force: true });
  });
});

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function startPostgres(directory: string) {
  const server = await startEmbeddedPostgres({ directory, log: { info() {} } });
  closers.push(() => server.close());
  return server;
}

function openStore(url: string) {
  const database = createDatabase({ url, poolSize: 4, name: "test", onError() {} });
  closers.push(() => database.close());
  const work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });
  const findIds = async () => {
    const { rows } = await database.pool.query<{ id: string }>("select id from request");
    return new Set(rows.map(({ id }) => id));
  };
  return { database, work, findIds };
}

describe.skipIf(!(await canMount()))("on a small disk (needs a user who may mount)", () => {
  test("a full data volume is 503, and what was acknowledged is there", async () => {
    const { url } = await startPostgres(join(disk, "postgres"));
    await migrateDatabase({ url });
    const { database, work, findIds } = openStore(url);
    const listener = createListener({ url, onError() {} });
    closers.push(() => listener.close());
    const api = await startTestApi({
      work,
      requests: createRequestReader(database, listener),
      health: async () => ({
        database: (await database.pool.query("select 1")) !== null,
        queue: true,
      }),
    });
    const submit = () => postJob(api, { url: newPostId() });
    const acknowledged: string[] = [(await submit()).json().id];
    const giveBack = fillDisk(disk);
    let refused = await submit();
    for (let tries = 0; refused.statusCode === 202 && tries < TRIES_MAX; tries++) {
      acknowledged.push(refused.json().id);
      refused = await submit();
    }
    expect(refused.statusCode).toBe(503);
    expect(refused.json()).toMatchObject({ code: "unavailable", retryable: true });
    expect(refused.json().detail).toContain("full");

    await giveBack();
    const again = await submit();
    expect(again.statusCode).toBe(202);
    acknowledged.push(again.json().id);
    expect([...(await findIds())].sort()).toEqual(acknowledged.sort());
  });

  test("a full volume of the log stops the server until there is space, and loses nothing acknowledged", async () => {
    const directory = join(root, "postgres");
    const first = await startPostgres(directory);
    await migrateDatabase({ url: first.url });
    await first.close();
    const log = join(directory, "data", "pg_wal");
    await cp(log, join(disk, "pg_wal"), { recursive: true, preserveTimestamps: true });
    await rm(log, { recursive: true });
    await symlink(join(disk, "pg_wal"), log);

    const full = await startPostgres(directory);
    const { work } = openStore(full.url);
    const giveBack = fillDisk(disk);
    const acknowledged: string[] = [];
    const submit = () => work.accept(Array.from({ length: 200 }, () => toSubmission(newPostId())));
    await expect(
      (async () => {
        for (let tries = 0; tries < BATCHES_MAX; tries++)
          acknowledged.push(...(await submit()).map(({ requestId }) => requestId));
      })(),
    ).rejects.toThrow();
    expect(acknowledged.length).toBeGreaterThan(0);

    await full.close().catch(() => {});
    expect(await readFile(join(directory, "postgres.log"), "utf8")).toMatch(
      /PANIC.*pg_wal.*No space left/,
    );
    await giveBack();
    const restarted = await startPostgres(directory);
    const store = openStore(restarted.url);
    const found = await store.findIds();
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
    expect(await store.work.accept([toSubmission(newPostId())])).toHaveLength(1);
  });
});
