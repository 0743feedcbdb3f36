import {
  type ClaimedJob,
  type Log,
  type PaidCall,
  type RunnableStage,
  type UpstreamPolicy,
  type UpstreamState,
} from "@clipmill/domain";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
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
    const deps = { paidCalls, upstreams, now: () => new Date(), random: () => 0 };
    return { abort, outcome: attempt(deps, stage, job, { abort, log }) };
  };
  return { start, paidCalls, state: () => state };
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
