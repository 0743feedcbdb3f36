import type { Log, ReconcileCounts } from "@clipmill/domain";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createReconciler, type ReconcilerDeps } from "./reconciler.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const NOTHING: ReconcileCounts = { requeued: 0, expired: 0, poisoned: 0, timedOut: 0 };

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Runs a reconciler for some seconds; whether each of its rounds spared the leases. */
async function toSpared(
  seconds: number,
  parts: { reconcile?: () => Promise<ReconcileCounts>; isIntact?: () => Promise<boolean> },
): Promise<boolean[]> {
  const { reconcile = () => Promise.resolve(NOTHING), isIntact = () => Promise.resolve(true) } =
    parts;
  const spared: boolean[] = [];
  const work: ReconcilerDeps["work"] = {
    reconcile(options) {
      spared.push(options?.spareLeases ?? false);
      return reconcile();
    },
    expireDeadlines: () => Promise.resolve(0),
    requeueAll: () => Promise.resolve(0),
    endChildren: () => Promise.resolve(0),
    replanStranded: () => Promise.resolve({ replanned: [], left: [] }),
  };
  const reconciler = createReconciler({ work, hints: { isIntact }, log });
  await vi.advanceTimersByTimeAsync(seconds * 1_000);
  await reconciler.close();
  return spared;
}

test("work is repaired while the queue is away", async () => {
  const isIntact = () => Promise.reject(new Error("connection refused"));
  expect(await toSpared(11, { isIntact })).toEqual([false, false, false]);
});

test("after Postgres was away its workers get the time to extend their leases", async () => {
  let rounds = 0;
  const reconcile = () =>
    ++rounds === 2 ? Promise.reject(new Error("connection refused")) : Promise.resolve(NOTHING);
  expect(await toSpared(24, { reconcile })).toEqual([false, false, true, true, false]);
});

test("after this machine slept its workers get the time to extend their leases", async () => {
  let rounds = 0;
  const reconcile = () => {
    // A laptop that is closed for an hour: only the clock on the wall goes on.
    if (++rounds === 2) setTimeout(() => vi.setSystemTime(Date.now() + 3_600_000), 1_000);
    return Promise.resolve(NOTHING);
  };
  const spared = await toSpared(29, { reconcile });
  expect(spared).toEqual([false, false, true, true, true, false]);
});

test("open requests without work are named: those planned anew each time, those of an unknown kind once", async () => {
  const lines: [level: string, fields: unknown, message: string][] = [];
  const write = (level: string) => (fields: unknown, message: string) =>
    void lines.push([level, fields, message]);
  const said: Log = { ...log, warn: write("warn"), error: write("error") };
  const found = [
    { replanned: ["job_a"], left: ["job_b"] },
    { replanned: [], left: ["job_b"] },
    { replanned: ["job_c"], left: ["job_b", "job_d"] },
  ];
  const work: ReconcilerDeps["work"] = {
    reconcile: () => Promise.resolve(NOTHING),
    expireDeadlines: () => Promise.resolve(0),
    requeueAll: () => Promise.resolve(0),
    endChildren: () => Promise.resolve(0),
    replanStranded: () => Promise.resolve(found.shift() ?? { replanned: [], left: [] }),
  };
  const isIntact = () => Promise.resolve(true);
  const reconciler = createReconciler({ work, hints: { isIntact }, log: said });
  await vi.advanceTimersByTimeAsync(16_000);
  await reconciler.close();
  const planned = "open requests had no work, planned anew";
  const unknown = "open requests of an unknown kind have no work";
  expect(lines).toEqual([
    ["error", { requestIds: ["job_a"], count: 1 }, planned],
    ["warn", { requestIds: ["job_b"], count: 1 }, unknown],
    ["error", { requestIds: ["job_c"], count: 1 }, planned],
    ["warn", { requestIds: ["job_d"], count: 1 }, unknown],
  ]);
});
