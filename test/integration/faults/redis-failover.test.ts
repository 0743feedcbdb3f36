import { Redis } from "ioredis";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createTcpProxy } from "../../chaos/harness/tcp-proxy.ts";
import { startRedisProgram } from "../../support/servers/global-setup-redis.ts";
import { hasProgram } from "../../support/servers/programs.ts";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { startToyWorker } from "../../support/work/toy-worker.ts";
import { openWorkFixture } from "../../support/work/work-fixture.ts";

const PROGRAM = "redis-server";
/** More than there are slots: some wait in the queue. */
const COUNT = 12;
const QUEUED_FOR_MS = 3_000;
/** BullMQ's workers pause for 15 s after an error. */
const WITHIN = { timeout: 60_000, interval: 50 };

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function startRedis() {
  const server = await startRedisProgram(PROGRAM);
  if (server === null) throw new Error(`${PROGRAM} does not start`);
  closers.push(() => server.close());
  const client = new Redis(server.url, { retryStrategy: () => null });
  client.on("error", () => {});
  closers.push(() => Promise.resolve(client.disconnect()));
  return { ...server, client, port: Number(new URL(server.url).port) };
}

/** What runs waits until it is let go. */
function createGate() {
  const waiting = new Set<() => void>();
  let isOpen = false;
  return {
    pass: () => (isOpen ? Promise.resolve() : new Promise<void>((go) => void waiting.add(go))),
    count: () => waiting.size,
    open() {
      isOpen = true;
      for (const go of waiting) go();
      waiting.clear();
    },
    shut: () => void (isOpen = false),
  };
}

describe.skipIf(!hasProgram(PROGRAM, "--version"))("with redis-server on PATH", () => {
  test("a replica that missed the last hints takes over, and what was accepted ends, each step run once", async () => {
    const [primary, replica] = [await startRedis(), await startRedis()];
    await replica.client.replicaof("127.0.0.1", primary.port);
    const proxy = await createTcpProxy(primary.port);
    closers.push(() => proxy.close());
    const fixture = await openWorkFixture();
    closers.push(async () => fixture[Symbol.asyncDispose]());
    const gate = createGate();
    const runs = new Map<string, number>();
    const worker = startToyWorker({
      databaseUrl: fixture.database.url,
      redisUrl: `redis://127.0.0.1:${proxy.port}`,
      queuedForMs: QUEUED_FOR_MS,
      reconcileEveryMs: 200,
      async run(stage, postId) {
        const name = `${stage}/${postId}`;
        runs.set(name, (runs.get(name) ?? 0) + 1);
        await gate.pass();
        return { output: { postId } };
      },
    });
    closers.push(
      () => worker.close(),
      async () => gate.open(),
    );
    const submit = () =>
      fixture.work.accept(Array.from({ length: COUNT }, () => toSubmission(newPostId())));
    const countDone = async () =>
      (await fixture.rows("select 1 from request where state = 'done'")).length;
    const hintsOf = async ({ client }: { client: Redis }) =>
      new Set((await client.keys("toy:io:first-*")).filter((key) => !key.endsWith(":lock")));

    // Both have the first hints; the replica is promoted too early and never hears that they were taken.
    await submit();
    await vi.waitFor(
      async () => expect((await hintsOf(primary)).size).toBeGreaterThanOrEqual(COUNT),
      WITHIN,
    );
    expect(await primary.client.wait(1, 10_000)).toBe(1);
    await replica.client.replicaof("NO", "ONE");
    const kept = await hintsOf(replica);
    gate.open();
    await vi.waitFor(async () => expect(await countDone()).toBe(COUNT), WITHIN);

    // The primary alone has the second ones.
    gate.shut();
    await submit();
    const countMissed = async () =>
      [...(await hintsOf(primary))].filter((hint) => !kept.has(hint)).length;
    await vi.waitFor(async () => expect(await countMissed()).toBeGreaterThanOrEqual(COUNT), WITHIN);
    await vi.waitFor(() => expect(gate.count()).toBeGreaterThan(0), WITHIN);
    expect(await hintsOf(replica)).toEqual(kept);

    await primary.close();
    proxy.redirect(replica.port);
    proxy.cut();
    gate.open();
    await vi.waitFor(async () => expect(await countDone()).toBe(2 * COUNT), WITHIN);
    expect(runs.size).toBe(2 * COUNT * 3);
    expect([...new Set(runs.values())]).toEqual([1]);
  }, 90_000);
});
