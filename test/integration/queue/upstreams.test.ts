import { createDatabase, createUpstreamStore, createWorkStore, type Database } from "@clipmill/db";
import { type Log, RetryableError, type UpstreamPolicy, type Upstreams } from "@clipmill/domain";
import { createRunner, createUpstreams } from "@clipmill/queue";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createTikLiveSource } from "../../../packages/providers/src/posts/tiklive/tiklive-source.ts";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { startLoopback } from "../../support/fakes/loopback.ts";
import {
  createToyStages,
  newPostId,
  toyPipelines,
  silentLog,
  toSubmission,
} from "../../support/work/toy-pipeline.ts";

const { signal } = new AbortController();
const WAIT = { timeout: 10_000, interval: 10 };

let testDatabase: TestDatabase;
/** For the tests' own looks: one connection, however often they look. */
let watcher: Database;
let policy: UpstreamPolicy;
let nextId = 0;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  watcher = connect(testDatabase.url, 1);
});

afterAll(() => watcher.close().then(() => testDatabase.drop()));

beforeEach(() => {
  policy = { id: `api#${nextId++}`, rate: null, maxInFlight: 20, maxWaitMs: 2_000 };
});

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function connect(url: string, poolSize: number): Database {
  return createDatabase({ url, poolSize, name: "test", onError: () => {} });
}

function openDatabase(url = testDatabase.url): Database {
  const database = connect(url, 4);
  closers.push(() => database.close());
  return database;
}

/** A process of its own as far as the shared state can tell: other connections, another name. */
function newProcess(
  name: string,
  options: { log?: Log; url?: string; id?: string } = {},
): Upstreams {
  const { log = silentLog, url = testDatabase.url, id = policy.id } = options;
  const store = createUpstreamStore(openDatabase(url));
  const policies = { api: { ...policy, id } };
  const upstreams = createUpstreams({ policies, store, workerId: name, log, random: () => 0 });
  closers.push(() => upstreams.close());
  return upstreams;
}

async function query<T>(text: string, values: unknown[] = []): Promise<T[]> {
  return (await watcher.pool.query(text, values)).rows as T[];
}

const pauseOf = async () =>
  (
    await query<{ code: string | null }>("select pause_code as code from upstream where id = $1", [
      policy.id,
    ])
  )[0]?.code;

const endPause = () =>
  query(
    "update upstream set paused_until = now() - interval '1 ms', version = version + 1 where id = $1",
    [policy.id],
  );

const ok = async () => "ok";
const fail =
  (...args: ConstructorParameters<typeof RetryableError>) =>
  async () => {
    throw new RetryableError(...args);
  };
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: unknown) => (error as RetryableError).code,
  );

describe("the rate", () => {
  const rate = { calls: 20, windowMs: 1_000, burst: 3 };

  /** Two processes that call as fast as they are let; the moments of 40 calls. */
  async function callFromTwo(ids: [string, string]): Promise<number[]> {
    policy = { ...policy, rate };
    const calledAtMs: number[] = [];
    const call = async () => void calledAtMs.push(Date.now());
    await Promise.all(
      ids.map(async (id, i) => {
        const upstreams = newProcess(`p${i}`, { id });
        const slot = async () => {
          while (calledAtMs.length < 40)
            await upstreams.call("api", call, { signal }).catch((error: unknown) => {
              if (!(error instanceof RetryableError)) throw error;
            });
        };
        await Promise.all([slot(), slot(), slot(), slot()]);
      }),
    );
    return calledAtMs.sort((a, b) => a - b);
  }

  /** Most calls within nine tenths of a window: the clocks of two processes are read some milliseconds apart. */
  function toMostInWindow(calledAtMs: number[]): number {
    return Math.max(
      ...calledAtMs.map(
        (from) => calledAtMs.filter((at) => at >= from && at < from + rate.windowMs * 0.9).length,
      ),
    );
  }

  test("is one for all processes", async () => {
    expect(toMostInWindow(await callFromTwo([policy.id, policy.id]))).toBeLessThanOrEqual(
      rate.calls,
    );
  });

  test("is exceeded by processes that do not share it (negative control)", async () => {
    expect(toMostInWindow(await callFromTwo([`${policy.id}a`, `${policy.id}b`]))).toBeGreaterThan(
      rate.calls,
    );
  });

  test("sends a call back that it has no reservation for, before it ran, with a time to come again", async () => {
    policy = { ...policy, rate: { calls: 5, windowMs: 600_000, burst: 1 }, maxWaitMs: 200 };
    const call = vi.fn<() => Promise<string>>(ok);
    const upstreams = newProcess("a");
    await upstreams.call("api", call, { signal });
    const error = await upstreams.call("api", call, { signal }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "rate_limited", upstream: policy.id });
    expect((error as RetryableError).retryAfterMs).toBeGreaterThan(0);
    expect(call).toHaveBeenCalledOnce();
  });
});

describe("a pause", () => {
  test("that one process was asked for holds in all of them, for as long as it was asked", async () => {
    const refused = fail("throttled", "slow down", { retryAfterMs: 60_000 });
    expect(await codeOf(newProcess("a").call("api", refused, { signal }))).toBe("throttled");
    await vi.waitFor(async () => expect(await pauseOf()).toBe("throttled"), WAIT);
    const call = vi.fn<() => Promise<string>>(ok);
    const error = await newProcess("b")
      .call("api", call, { signal })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "throttled", details: { sent: false } });
    expect((error as RetryableError).retryAfterMs).toBeGreaterThan(50_000);
    expect(call).not.toHaveBeenCalled();
  });

  test("of an empty balance is reported once, and ends with the probe of a later call", async () => {
    const error = vi.fn<Log["error"]>();
    const log: Log = { ...silentLog, error, child: () => log };
    const [a, b] = [newProcess("a", { log }), newProcess("b", { log })];
    const broke = fail("provider_balance", "empty");
    await Promise.all([a, b].map((process) => codeOf(process.call("api", broke, { signal }))));
    await vi.waitFor(async () => expect(await pauseOf()).toBe("provider_balance"), WAIT);
    const c = newProcess("c", { log });
    expect(await codeOf(c.call("api", ok, { signal }))).toBe("provider_balance");
    await endPause();
    expect(await codeOf(newProcess("d", { log }).call("api", ok, { signal }))).toBe("ok");
    await vi.waitFor(async () => expect(await pauseOf()).toBeNull(), WAIT);
    expect(error).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ code: "provider_balance" }),
      expect.any(String),
    );
  });
});

describe("the breaker", () => {
  async function open(): Promise<void> {
    const upstreams = newProcess("a");
    const broken = fail("upstream_unavailable", "down");
    await Promise.all(
      Array.from({ length: 20 }, () => codeOf(upstreams.call("api", broken, { signal }))),
    );
    await vi.waitFor(async () => expect(await pauseOf()).toBe("paused"), WAIT);
  }

  test("opens for all processes after 20 failures, and no job pays for it with an attempt", async () => {
    await open();
    expect(await codeOf(newProcess("b").call("api", ok, { signal }))).toBe("paused");
  });

  test("lets one probe through, and everybody after it", async () => {
    await open();
    await endPause();
    const probe = Promise.withResolvers<void>();
    const call = vi.fn<() => Promise<void>>(() => probe.promise);
    const calls = ["b", "c", "d"].map((name) =>
      codeOf(newProcess(name).call("api", call, { signal })),
    );
    await vi.waitFor(() => expect(call).toHaveBeenCalledOnce(), WAIT);
    const rows = await query<{ out: boolean }>(
      "select probe_until > now() as out from upstream where id = $1",
      [policy.id],
    );
    expect(rows).toEqual([{ out: true }]);
    probe.resolve();
    expect(await Promise.all(calls)).toEqual(["ok", "ok", "ok"]);
    expect(call).toHaveBeenCalledTimes(3);
  });
});

test("without Postgres a process keeps to its own share of the rate", async () => {
  policy = { ...policy, rate: { calls: 5, windowMs: 600_000, burst: 1 }, maxWaitMs: 200 };
  const upstreams = newProcess("a", { url: "postgres://nobody@127.0.0.1:1/none" });
  const codes = await Promise.all(
    Array.from({ length: 10 }, () => codeOf(upstreams.call("api", ok, { signal }))),
  );
  expect(codes.filter((code) => code === "ok").length).toBeLessThanOrEqual(2);
  expect(codes).toContain("rate_limited");
});

describe("a job", () => {
  /** Runs the first stage of new posts one after the other; each makes one call that is booked. */
  async function runJobs(upstreams: Upstreams, count: number, call: () => Promise<unknown>) {
    const database = openDatabase();
    const window = { io: 10, gpu: 10, cpu: 10, llm: 10 };
    const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 60_000, window };
    const work = createWorkStore(database, options);
    const stages = createToyStages(async (_name, postId, ctx) => {
      await ctx.pay({ engine: "api", estimateUsd: 1 }, async () => ({
        usd: 1,
        said: await call(),
      }));
      return { output: { postId } };
    });
    const hints = { push: async () => {} };
    const own = { workerId: "b", leaseMs: 30_000, log: silentLog };
    const runner = createRunner({ stages, work, hints, ledger: work, upstreams, ...own });
    closers.push(() => runner.close());
    const ends: { kind: string; code: string | null }[] = [];
    const postIds = Array.from({ length: count }, newPostId);
    for (const postId of postIds) {
      await work.accept([toSubmission(postId)]);
      const [job] = await work.dispatch("io", 10);
      if (job === undefined) throw new Error("nothing was dispatched");
      ends.push(await runner.run(job));
      await vi.waitFor(() => expect(runner.count()).toBe(0), WAIT);
    }
    const jobs = await query(
      `select state, attempts, run_at > now() as later,
         (select count(*)::int from cost_entry c where c.stage_job_id = j.id) as calls
       from stage_job j where stage = 'first' and key = any ($1) order by id`,
      [postIds],
    );
    return { ends, jobs };
  }

  const SENT_BACK = { state: "ready", attempts: 0, later: true, calls: 0 };

  test("whose provider is paused goes back without an attempt and without a booked call", async () => {
    const refused = fail("provider_key", "rejected");
    await codeOf(newProcess("a").call("api", refused, { signal }));
    await vi.waitFor(async () => expect(await pauseOf()).toBe("provider_key"), WAIT);
    const { ends, jobs } = await runJobs(newProcess("b"), 1, ok);
    expect(ends).toEqual([{ kind: "retry", code: "provider_key" }]);
    expect(jobs).toEqual([SENT_BACK]);
  });

  test("that comes after an answer which leaves no call goes back so too, in every process", async () => {
    const server = await startLoopback((_, response) => {
      response.writeHead(200, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "60" });
      response.end('{"id":"7345678901234567890","play":"https://v16.tiktokcdn.com/a"}');
    });
    closers.push(() => server.close());
    const upstreams = newProcess("b");
    const source = createTikLiveSource({
      apiKey: "key",
      baseUrl: server.origin,
      engine: "tiklive",
      onHoldOff: (forMs) => upstreams.holdOff("api", forMs),
    });
    closers.push(() => source.close());
    const { ends, jobs } = await runJobs(upstreams, 2, () =>
      source.fetchPost({ postId: "7345678901234567890", link: null }, { signal }),
    );
    expect(ends).toMatchObject([{ kind: "done" }, { kind: "retry", code: "throttled" }]);
    expect(jobs).toMatchObject([{ state: "done", calls: 1 }, SENT_BACK]);
    expect(server.requests).toHaveLength(1);

    await vi.waitFor(async () => expect(await pauseOf()).toBe("throttled"), WAIT);
    expect(await codeOf(newProcess("c").call("api", ok, { signal }))).toBe("throttled");
  });
});
