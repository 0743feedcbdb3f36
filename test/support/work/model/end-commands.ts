import type { ChildSubmission, JobRef, Outcome, Resolution } from "@clipmill/domain";
import fc from "fast-check";
import { expect } from "vitest";
import { toChild } from "../toy-kinds.ts";
import type { Job, Snapshot } from "../work-snapshot.ts";
import { at, type Command, holds, index, toCommand, toRef } from "./command.ts";

const LONG_MS = 3_600_000;
/** A token that several jobs may try to wait for. */
const COMMON = "common";

const kind = fc.constantFrom(
  "done" as const,
  "done" as const,
  "done" as const,
  "waiting" as const,
  "waiting" as const,
  "retry" as const,
  "failed" as const,
  "skipped" as const,
  "released" as const,
);

export interface Ending {
  /** Index of the hint, counted from the latest. */
  i: number;
  kind: Outcome["kind"];
  nonce: number;
  /** How many next steps may start eagerly, per queue. */
  slots: number;
  /** How many requests it submits, if its stage does, and whether they end with it. */
  submits: number;
  endsWithParent: boolean;
  /** Whether it waits for the common token. */
  isCommon: boolean;
  /** Index of the token that it resolves; null for none. */
  resolves: number | null;
}

/** With the tokens instead of an index. */
type End = Omit<Ending, "i" | "slots" | "resolves"> & { resolved: readonly string[] };

const ending = fc.record({
  i: index,
  kind,
  nonce: fc.nat(),
  slots: fc.nat({ max: 1 }),
  submits: fc.nat({ max: 3 }),
  endsWithParent: fc.boolean(),
  isCommon: fc.nat({ max: 5 }).map((n) => n === 0),
  resolves: fc.option(index, { freq: 2 }),
});

export const toSettle = ({ i, slots, resolves, ...end }: Ending): Command =>
  toCommand(`${end.kind} ${i}${slots > 0 ? ", with eager starts" : ""}`, async (action) => {
    const { work, knowledge, before } = action;
    const [ref] = at(knowledge.hints, i);
    if (ref === undefined) return undefined;
    const job = before.byId.get(ref.id);
    const resolved = resolves === null ? [] : at(knowledge.tokens, resolves);
    const outcome = toOutcome(ref, job, { ...end, resolved });
    const isHeld = holds(job, ref, "running");
    if (outcome.kind === "waiting") {
      knowledge.tokens.push(outcome.token);
      const holder = before.waits.get(outcome.token);
      if (isHeld && holder !== undefined && holder.id !== ref.id) {
        await expect(work.settle([outcome])).rejects.toThrow("another job waits");
        return (now) => expect(now).toEqual(before);
      }
    }
    const stages = ["second", "third", "tally", "send"];
    const eagerStart = { workerId: "model", stages, slots: { gpu: slots, llm: slots, cpu: slots } };
    const { fenced, enqueued, started } = await work.settle([outcome], eagerStart);
    expect(fenced).toEqual(isHeld ? [] : [toRef(ref)]);
    expect(started.length).toBeLessThanOrEqual(3 * slots);
    knowledge.hints.push(...enqueued, ...started);
    return (now) => {
      expectChildren(before, now, isHeld ? outcome : { ...toRef(ref), kind: "released" });
      if (!isEffective(outcome)) return;
      for (const token of resolved) {
        const waited = before.waits.get(token);
        if (isHeld) expectEnd(waited, now, "done");
        else expectEnd(waited, now, "waiting");
      }
    };
  });

export const settle = ending.map(toSettle);

/** A job has as many children as the longest list that one of its results submitted, fenced ones left out. */
function expectChildren(before: Snapshot, now: Snapshot, outcome: Outcome): void {
  const count = (snapshot: Snapshot) =>
    snapshot.requests.filter(({ submittedBy }) => submittedBy === outcome.id).length;
  const submitted = isEffective(outcome) ? (outcome.submit ?? []).length : 0;
  expect(count(now), "I1: what a job submits").toBe(Math.max(count(before), submitted));
}

const isEffective = (outcome: Outcome) => outcome.kind === "done" || outcome.kind === "waiting";

function expectEnd(waited: JobRef | undefined, now: Snapshot, state: string): void {
  if (waited !== undefined)
    expect(now.byId.get(waited.id)).toMatchObject({ state, epoch: waited.epoch });
}

interface Answer {
  i: number;
  isFailure: boolean;
  /** Whether the token stands twice in one list. */
  isTwice: boolean;
}

export const toResolve = ({ i, isFailure, isTwice }: Answer): Command =>
  toCommand(`resolve ${i}`, async ({ work, knowledge, before }) => {
    const [token = "unknown"] = at(knowledge.tokens, i);
    const resolution = isFailure
      ? ({ token, kind: "failed", code: "engine_failed", message: "lost" } as const)
      : toResolution(token, before);
    const waited = before.waits.get(token);
    const list = isTwice ? [resolution, toResolution(token, before)] : [resolution];
    expect(await work.resolve(list), "resolved").toEqual(
      waited === undefined ? [] : [toRef(waited)],
    );
    expect(await work.resolve([resolution]), "resolved twice").toEqual([]);
    return (now) => {
      if (waited === undefined) expect(now).toEqual(before);
      else expectEnd(waited, now, resolution.kind);
    };
  });

export const resolve = fc
  .record({ i: index, isFailure: fc.boolean(), isTwice: fc.boolean() })
  .map(toResolve);

function toResolution(token: string, { waits, byId }: Snapshot): Resolution {
  const job = byId.get(waits.get(token)?.id ?? 0);
  return { token, kind: "done", output: toOutput(job, 0) };
}

/** Lets the time of all waits be over. */
export const GIVE_UP = toCommand("give waits up", async ({ work, pool, before }) => {
  await pool.query("update stage_wait set expires_at = now() - interval '1 second'");
  const { timedOut } = await work.reconcile();
  expect(timedOut).toBe(before.waits.size);
  return (now) => {
    expect(now.waits.size).toBe(0);
    for (const [token, { id }] of before.waits)
      expect(now.byId.get(id)).toMatchObject({ state: "ready", expiredToken: token });
  };
});

export const giveUp = fc.constant(GIVE_UP);

/**
 * The nonce shows whether a second result replaced the first. After every third result of a crawl, its stage runs
 * again. Some results cannot be read by any stage, as if another version had stored them.
 */
function toOutput(job: Job | undefined, nonce: number): unknown {
  if (nonce % 7 === 6) return { of: "another version" };
  if (job?.stage !== "list") return { id: job?.key, postId: job?.key, engine: `model-${nonce}` };
  return { id: nonce % 3 === 0 ? "stale" : `${job.key} ${nonce}` };
}

/** A page's deliveries and the other page: the same in each run of the job. */
function toSubmitted(job: Job | undefined, { submits, endsWithParent }: End): ChildSubmission[] {
  if (job?.stage !== "list") return [];
  const other = job.key === "page-0" ? "page-1" : "page-0";
  const all = [
    toChild(`${job.key} a`, { endsWithParent }),
    toChild(other, { kind: "crawl", link: other, endsWithParent }),
    toChild(`${job.key} b`),
  ];
  return all.slice(0, submits);
}

function toOutcome(ref: JobRef, job: Job | undefined, end: End): Outcome {
  const { id, epoch } = ref;
  const why = { code: "upstream_unavailable" as const, message: "down", upstream: null };
  const resolve = end.resolved.map((token): Resolution => {
    return { token, kind: "done", output: { id: "x", postId: "x" } };
  });
  const effects = { records: [], calls: [], submit: toSubmitted(job, end), resolve };
  switch (end.kind) {
    case "done":
      return { id, epoch, kind: "done", output: toOutput(job, end.nonce), ...effects };
    case "retry":
      return { id, epoch, kind: "retry", ...why, delayMs: 0, counts: true };
    case "failed":
    case "skipped":
      return { id, epoch, kind: end.kind, ...why };
    case "released":
      return { id, epoch, kind: "released" };
    case "waiting": {
      const token = end.isCommon ? COMMON : `token-${id}-${epoch}`;
      return { id, epoch, kind: "waiting", token, timeoutMs: LONG_MS, ...effects };
    }
  }
}
