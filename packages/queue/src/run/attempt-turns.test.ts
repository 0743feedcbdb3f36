import type { ClaimedJob, Log, RunnableStage } from "@clipmill/domain";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { attempt } from "./attempt.ts";
import { createCallTurns } from "./limits/call-turns.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const NEVER = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a job whose turn does not come is given back, and its call is not made", async () => {
  const turns = createCallTurns(1);
  const paidCalls = { open: vi.fn(async () => 7), fail: vi.fn(async () => {}) };
  const call = vi.fn(async () => ({ usd: 0.01 }));
  const stage: RunnableStage = {
    name: "toy",
    queue: "gpu",
    attempts: 3,
    timeoutMs: 60_000,
    run: async (_input, { pay }) => ({
      output: await pay({ engine: "api", estimateUsd: 0.01 }, call),
    }),
  };
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
  const deps = {
    paidCalls,
    upstreams: undefined,
    turns: new Map([["gpu" as const, turns]]),
    now: () => new Date(),
    random: () => 0,
  };
  const long = Promise.withResolvers<void>();
  const busy = turns.take(() => long.promise, NEVER);
  const outcome = attempt(deps, stage, job, { abort: new AbortController(), log });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await outcome).toEqual({ id: 1, epoch: 1, kind: "released" });
  expect(call).not.toHaveBeenCalled();
  expect(paidCalls.open).not.toHaveBeenCalled();
  long.resolve();
  await busy;
  const again = await attempt(deps, stage, job, { abort: new AbortController(), log });
  expect(again).toMatchObject({ kind: "done", output: { usd: 0.01 } });
});
