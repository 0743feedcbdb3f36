import { rm } from "node:fs/promises";
import type { Log } from "@clipmill/domain";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test, vi } from "vitest";
import { startRedisProgram } from "../../support/servers/global-setup-redis.ts";
import { hasProgram } from "../../support/servers/programs.ts";
import { newPostId, silentLog, toSubmission } from "../../support/work/toy-pipeline.ts";
import { startToyWorker } from "../../support/work/toy-worker.ts";
import { openWorkFixture } from "../../support/work/work-fixture.ts";

const PROGRAM = "redis-server";
const COUNT = 12;
const WATCHED_MS = 2_000;
/** BullMQ's workers pause for 15 s after an error. */
const HEALS_WITHIN = { timeout: 40_000, interval: 50 };

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A worker on a Redis of its own; `lines` has what was logged as an error. */
async function start() {
  const server = await startRedisProgram(PROGRAM);
  if (server === null) throw new Error(`${PROGRAM} does not start`);
  const redis = new Redis(server.url);
  const fixture = await openWorkFixture();
  const lines: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (_fields, line) => void lines.push(line),
    child: () => log,
  };
  const { url: databaseUrl } = fixture.database;
  const worker = startToyWorker({ databaseUrl, redisUrl: server.url, log });
  closers.push(
    () => server.close(),
    async () => fixture[Symbol.asyncDispose](),
    () => Promise.resolve(redis.disconnect()),
    () => worker.close(),
  );
  const countDone = async () =>
    (await fixture.rows<{ count: number }>("select count(*) from request where state = 'done'"))[0]
      ?.count;
  return { server, redis, work: fixture.work, lines, countDone };
}

type Started = Awaited<ReturnType<typeof start>>;

/** A server that cannot save refuses writes, be its disk full or its directory gone. */
async function loseDirectory({ redis, server }: Started): Promise<void> {
  await redis.config("SET", "save", "3600 1");
  await rm(server.directory, { recursive: true });
  await redis.bgsave();
  await vi.waitFor(async () =>
    expect(await redis.info("persistence")).toContain("rdb_last_bgsave_status:err"),
  );
}

describe.skipIf(!hasProgram(PROGRAM, "--version"))("with redis-server on PATH", () => {
  test.each([
    {
      what: "out of memory",
      refusal: "OOM",
      fill: ({ redis }: Started) => redis.config("SET", "maxmemory", "1"),
      fix: ({ redis }: Started) => redis.config("SET", "maxmemory", "0"),
    },
    {
      what: "that cannot save",
      refusal: "MISCONF",
      fill: loseDirectory,
      fix: ({ redis }: Started) => redis.config("SET", "save", ""),
    },
  ])(
    "a Redis $what delays what is accepted, and loses none of it",
    async ({ refusal, fill, fix }) => {
      const started = await start();
      const { redis, work, lines, countDone } = started;
      const submit = () =>
        work.accept(Array.from({ length: COUNT }, () => toSubmission(newPostId())));
      await submit();
      await vi.waitFor(async () => expect(await countDone()).toBe(COUNT), HEALS_WITHIN);
      await fill(started);
      await expect(redis.set("a", "b")).rejects.toThrow(refusal);

      expect(await submit()).toHaveLength(COUNT);
      await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
      expect(await countDone()).toBe(COUNT);
      expect(lines).toContain("dispatch failed");
      // Each source of errors says so once in ten seconds.
      expect(lines.length).toBeLessThanOrEqual(new Set(lines).size * 4);

      await fix(started);
      await vi.waitFor(async () => expect(await countDone()).toBe(2 * COUNT), HEALS_WITHIN);
    },
    90_000,
  );
});
