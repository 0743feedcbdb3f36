import { type Log, type Outcome, UnrecoverableError } from "@clipmill/domain";
import { expect, test } from "vitest";
import { createSettlements } from "./settlements.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

/** Settlements into a store that refuses some jobs, each with an error; what it took, by job. */
function createToySettlements(refusals: Record<number, Error>, leaseMs = 1_000) {
  const taken = new Map<number, Outcome>();
  let tries = 0;
  const settlements = createSettlements({
    work: {
      settle(outcomes) {
        tries++;
        for (const { id, kind } of outcomes) {
          const refusal = refusals[id];
          if (refusal !== undefined && kind !== "failed") return Promise.reject(refusal);
        }
        for (const outcome of outcomes) taken.set(outcome.id, outcome);
        return Promise.resolve({ fenced: [], enqueued: [], started: [] });
      },
    },
    delivery: { push() {} },
    eagerStarts: { expect: () => () => {}, takeSlots: () => null, returnUnused() {} },
    leaseMs,
    batchMax: 64,
    random: () => 0,
    log,
  });
  const settleAll = (outcomes: readonly Outcome[]) =>
    Promise.all(outcomes.map((outcome) => settlements.settle(outcome, "toy")));
  return { settleAll, taken, tries: () => tries };
}

const toDone = (id: number): Outcome => {
  return { id, epoch: 1, kind: "done", output: {}, records: [], calls: [] };
};
const toWaiting = (id: number): Outcome => {
  return { id, epoch: 1, kind: "waiting", token: "t", timeoutMs: 9, records: [], calls: [] };
};
const refuse = (code: string) => Object.assign(new Error("refused"), { code });

test("what a rule of ours refuses fails its own job, with the code and words of the rule", async () => {
  const { settleAll, taken } = createToySettlements({
    2: new UnrecoverableError("insufficient_credits", "too few"),
    3: new UnrecoverableError("invalid_request", "no such kind"),
  });
  expect(await settleAll([1, 2, 3, 4].map(toDone))).toMatchObject([
    { isFenced: false },
    { isFenced: false },
    { isFenced: false },
    { isFenced: false },
  ]);
  expect([1, 2, 3, 4].map((id) => taken.get(id))).toMatchObject([
    { kind: "done" },
    { kind: "failed", epoch: 1, code: "insufficient_credits", message: "too few" },
    { kind: "failed", epoch: 1, code: "invalid_request", message: "no such kind" },
    { kind: "done" },
  ]);
});

test("what Postgres refuses fails its own job, also of one that would wait", async () => {
  const { settleAll, taken } = createToySettlements({
    1: refuse("22P05"),
    2: refuse("23505"),
    3: refuse("54000"),
  });
  await settleAll([toDone(1), toWaiting(2), toWaiting(3), toWaiting(4)]);
  const refused = { kind: "failed", code: "bad_response" };
  expect([1, 2, 3].map((id) => taken.get(id))).toMatchObject([refused, refused, refused]);
  expect(taken.get(4)).toMatchObject({ kind: "waiting" });
});

test("what JavaScript cannot write fails its own job", async () => {
  const { settleAll, taken } = createToySettlements({
    2: new TypeError("Do not know how to serialize a BigInt"),
    3: new RangeError("Maximum call stack size exceeded"),
  });
  await settleAll([1, 2, 3, 4].map(toDone));
  expect([1, 2, 3, 4].map((id) => taken.get(id)?.kind)).toEqual([
    "done",
    "failed",
    "failed",
    "done",
  ]);
});

test("a message that cannot be stored ends its job, too", async () => {
  const { settleAll, taken } = createToySettlements({ 1: refuse("22021") });
  const why = { code: "unavailable", message: "\0", upstream: null } as const;
  await settleAll([{ id: 1, epoch: 1, kind: "retry", ...why, delayMs: 0, counts: true }]);
  expect(taken.get(1)).toMatchObject({ kind: "failed", message: "the result cannot be stored" });
});

test("a server that is away takes the whole batch as it is, later", async () => {
  const refusals: Record<number, Error> = { 2: refuse("57P01") };
  const { settleAll, taken, tries } = createToySettlements(refusals);
  const settled = settleAll([1, 2].map(toDone));
  delete refusals[2];
  await settled;
  expect([...taken.values()]).toMatchObject([{ kind: "done" }, { kind: "done" }]);
  expect(tries()).toBeLessThanOrEqual(2);
});

test("a store that refuses even the failure does not keep the job for ever", async () => {
  const settlements = createSettlements({
    work: { settle: () => Promise.reject(refuse("23514")) },
    delivery: { push() {} },
    eagerStarts: { expect: () => () => {}, takeSlots: () => null, returnUnused() {} },
    leaseMs: -1,
    batchMax: 64,
    random: () => 0,
    log,
  });
  await expect(settlements.settle(toDone(1), "toy")).rejects.toThrow("refused");
});
