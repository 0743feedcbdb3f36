import {
  type ClaimedJob,
  LeaseLostError,
  type Log,
  type Outcome,
  type PaidCall,
  type Recipes,
  type RunnableStage,
  type Stage,
  type StageResult,
  type StageWait,
  toRunnable,
  type UpstreamPolicy,
  type UpstreamState,
} from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { attempt, ShutdownError } from "./attempt.ts";
import type { PaidCalls } from "./paid-calls.ts";
import { createUpstreams } from "../limits/upstreams.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const job: ClaimedJob = {
  id: 1,
  epoch: 1,
  stage: "toy",
  key: "k",
  input: {},
  attempts: 0,
  lane: "standard",
  ageMs: 0,
  expiredToken: null,
};
const NO_RECIPES: Recipes = { source: [], asr: [], ocr: [], llm: [] };
const PAID: PaidCall = { engine: "api", estimateUsd: 0.01 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Attempts at a stage of one paid call, through a real limiter whose shared state is in memory. */
function setUp(policy: Partial<UpstreamPolicy> = {}, name = "api") {
  let state: UpstreamState | null = null;
  const upstreams = createUpstreams({
    policies: { [name]: { id: name, rate: null, maxInFlight: null, maxWaitMs: 10_000, ...policy } },
    store: {
      async change(_id, next) {
        const changed = next(state, Date.now());
        state = changed.state;
        return { ...changed, nowMs: Date.now() };
      },
    },
    workerId: "test",
    log,
    random: () => 0,
  });
  const paidCalls = {
    open: vi.fn<PaidCalls["open"]>(async () => 7),
    fail: vi.fn<PaidCalls["fail"]>(async () => {}),
  };
  const deps = { paidCalls, upstreams, now: () => new Date(), random: () => 0 };
  const start = (call: (signal: AbortSignal) => Promise<{ usd: number }>) => {
    const abort = new AbortController();
    const stage: RunnableStage = {
      name: "toy",
      queue: "io",
      attempts: 3,
      timeoutMs: 1_500,
      async run(_input, { pay, signal }) {
        // As after a look for what is there already.
        await Promise.resolve();
        return { output: await pay(PAID, () => call(signal)) };
      },
    };
    return { abort, outcome: attempt(deps, stage, job, { abort, log }) };
  };
  return { start, deps, paidCalls, state: () => state };
}

/** Never answers; ends as `fetch` does. */
const hang = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });

test("a call that hangs until the stage's limit counts against its upstream", async () => {
  const { start, state } = setUp();
  const { outcome } = start(hang);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(await outcome).toMatchObject({ kind: "retry", code: "timeout" });
  expect(state()).toMatchObject({ tallies: [{ calls: 1, failures: 1 }] });
  expect(state()?.pace).toBeLessThan(1);
});

test("a call that is under way at a shutdown says nothing of its upstream", async () => {
  const { start, state } = setUp();
  const { abort, outcome } = start(hang);
  await vi.advanceTimersByTimeAsync(1_000);
  abort.abort(new ShutdownError("stop"));
  expect(await outcome).toMatchObject({ kind: "released" });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(state()).toMatchObject({ pace: 1 });
  expect(state()?.tallies.every(({ failures }) => failures === 0)).toBe(true);
});

test("a job that is shut down while it waits for its reservation books no call", async () => {
  const { start, paidCalls } = setUp({ rate: { calls: 60, windowMs: 60_000, burst: 1 } });
  const sent = vi.fn(async () => ({ usd: 0.01 }));
  const attempts = Array.from({ length: 3 }, () => start(sent));
  await vi.advanceTimersByTimeAsync(100);
  const sentBefore = sent.mock.calls.length;
  expect(sentBefore).toBeLessThan(3);
  for (const { abort } of attempts) abort.abort(new ShutdownError("stop"));
  await vi.advanceTimersByTimeAsync(3_000);
  const kinds = (await Promise.all(attempts.map(({ outcome }) => outcome))).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "done")).toHaveLength(sentBefore);
  expect(kinds.filter((kind) => kind === "released")).toHaveLength(3 - sentBefore);
  expect(sent).toHaveBeenCalledTimes(sentBefore);
  expect(paidCalls.open).toHaveBeenCalledTimes(sentBefore);
});

test("a job that is shut down before it asks books none either, where calls pass no limiter", async () => {
  const { start, paidCalls } = setUp({}, "another");
  const { abort, outcome } = start(async () => ({ usd: 0.01 }));
  abort.abort(new ShutdownError("stop"));
  expect(await outcome).toMatchObject({ kind: "released" });
  expect(paidCalls.open).not.toHaveBeenCalled();
});

test("a call whose intent is booked when the shutdown comes is not sent, and cost nothing", async () => {
  const { start, paidCalls } = setUp({}, "another");
  const booked = Promise.withResolvers<number>();
  paidCalls.open.mockReturnValue(booked.promise);
  const sent = vi.fn(async () => ({ usd: 0.01 }));
  const { abort, outcome } = start(sent);
  await vi.advanceTimersByTimeAsync(100);
  expect(paidCalls.open).toHaveBeenCalledOnce();
  abort.abort(new ShutdownError("stop"));
  booked.resolve(7);
  expect(await outcome).toMatchObject({ kind: "released" });
  expect(sent).not.toHaveBeenCalled();
  expect(paidCalls.fail).toHaveBeenCalledExactlyOnceWith({ callId: 7, usd: 0 });
});

describe("a stage that ignores its abort", () => {
  const late = Promise.withResolvers<never>();
  const deaf: RunnableStage = {
    name: "toy",
    queue: "io",
    attempts: 3,
    timeoutMs: 1_500,
    run: () => late.promise,
  };

  function startDeaf() {
    const abort = new AbortController();
    const settled = vi.fn<(outcome: Outcome) => void>();
    const outcome = attempt(setUp().deps, deaf, job, { abort, log });
    void outcome.then(settled);
    return { abort, outcome, settled };
  }

  test("ends with its limit and a moment, as a timeout", async () => {
    const { outcome, settled } = startDeaf();
    await vi.advanceTimersByTimeAsync(1_500);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(settled).toHaveBeenCalledOnce();
    expect(await outcome).toMatchObject({ kind: "retry", code: "timeout", counts: true });
  });

  test.each([new ShutdownError("stop"), new LeaseLostError("lost")])(
    "is given back soon after a $name, untried",
    async (reason) => {
      const { abort, outcome, settled } = startDeaf();
      abort.abort(reason);
      await vi.advanceTimersByTimeAsync(5_000);
      expect(settled).toHaveBeenCalledOnce();
      expect(await outcome).toEqual({ id: 1, epoch: 1, kind: "released" });
    },
  );

  test("may fail at last, and nobody is troubled by it", async () => {
    const { outcome } = startDeaf();
    await vi.advanceTimersByTimeAsync(6_500);
    await outcome;
    // An unhandled rejection fails the run.
    late.reject(new Error("too late"));
    await vi.advanceTimersByTimeAsync(0);
  });
});

describe("what a stage wants stored with its end", () => {
  const child = { link: "x", postId: null, outputs: [], recipes: NO_RECIPES, language: null };
  const resolution = { token: "other", kind: "done" as const, output: {} };

  /** Attempts at a stage that ends so, as a worker makes it runnable. */
  async function attemptAt(
    run: Stage<unknown, unknown>["run"],
    more: Partial<ClaimedJob> = {},
  ): Promise<Outcome> {
    const spec = { name: "toy", queue: "io", attempts: 3, timeoutMs: 1_500 } as const;
    const types = { input: z.unknown(), output: z.unknown(), key: () => "k" };
    const stage = toRunnable({ ...spec, ...types, run });
    const { deps } = setUp();
    return await attempt(deps, stage, { ...job, ...more }, { abort: new AbortController(), log });
  }

  test("goes with the output", async () => {
    const effects = { submit: [child], resolve: [resolution] };
    expect(await attemptAt(async () => ({ output: 1, ...effects }))).toEqual({
      id: 1,
      epoch: 1,
      kind: "done",
      output: 1,
      records: [],
      calls: [],
      ...effects,
    });
  });

  test("goes with the wait, and what was paid for by then is settled", async () => {
    const waitFor = { token: "batch-1", timeoutMs: 60_000 };
    const outcome = await attemptAt(async (_input, { pay }) => {
      await pay(PAID, async () => ({ usd: 0.02 }));
      return { waitFor, submit: [child] };
    });
    const calls = [{ callId: 7, usd: 0.02 }];
    const effects = { records: [], calls, submit: [child], resolve: [] };
    expect(outcome).toEqual({ id: 1, epoch: 1, kind: "waiting", ...waitFor, ...effects });
  });

  test("is nothing where the attempt was given back, whatever it would have come to", async () => {
    const { deps } = setUp();
    const abort = new AbortController();
    const stage: RunnableStage = {
      name: "toy",
      queue: "io",
      attempts: 3,
      timeoutMs: 1_500,
      async run(_input, { signal }) {
        abort.abort(new ShutdownError("stop"));
        signal.throwIfAborted();
        return { waitFor: { token: "t", timeoutMs: 1 }, submit: [child] };
      },
    };
    const outcome = await attempt(deps, stage, job, { abort, log });
    expect(outcome).toEqual({ id: 1, epoch: 1, kind: "released" });
  });

  test("a job whose wait was over is told so, at its first and at a later attempt", async () => {
    const seen: unknown[] = [];
    const look: Stage<unknown, unknown>["run"] = async (_input, { expiredToken, attempt }) => {
      seen.push([expiredToken, attempt]);
      return { output: null };
    };
    await attemptAt(look);
    await attemptAt(look, { expiredToken: "batch-1" });
    await attemptAt(look, { expiredToken: "batch-1", attempts: 1 });
    expect(seen).toEqual([
      [null, 1],
      ["batch-1", 1],
      ["batch-1", 2],
    ]);
  });

  const wait = (token: string, timeoutMs: number) => ({ waitFor: { token, timeoutMs } });
  const many = (count: number) => ({
    output: null,
    submit: Array.from({ length: count }, () => child),
  });
  const resolutions = (count: number) => Array.from({ length: count }, () => resolution);
  const refused: [what: string, result: StageResult<unknown> | StageWait][] = [
    ["an empty token", wait("", 1_000)],
    ["a token too long for an index", wait("t".repeat(501), 1_000)],
    ["a wait that is over", wait("t", 0)],
    ["a wait without an end", wait("t", Number.POSITIVE_INFINITY)],
    ["a wait of no number", wait("t", Number.NaN)],
    ["501 requests at once", many(501)],
    ["1,001 resolutions at once", { output: null, resolve: resolutions(1_001) }],
    ["a record that it does not produce", { output: null, records: [{ kind: "media" } as never] }],
  ];
  test.each(refused)("%s ends the job before anything is stored", async (_what, result) => {
    const outcome = await attemptAt(async () => result);
    expect(outcome).toMatchObject({ kind: "failed", code: "invalid_input" });
  });

  test("500 requests and 1,000 resolutions are not too many", async () => {
    const resolve = resolutions(1_000);
    expect(await attemptAt(async () => ({ ...many(500), resolve }))).toMatchObject({
      kind: "done",
    });
  });
});
