import type { Lane, QueueName, Submission } from "@clipmill/domain";
import fc from "fast-check";
import { expect } from "vitest";
import { toCrawl } from "../toy-kinds.ts";
import { toSubmission } from "../toy-pipeline.ts";
import type { Job } from "../work-snapshot.ts";
import { at, type Command, holds, index, queue, toCommand, toRef } from "./command.ts";

const WINDOW = 3;

const subject = fc.record({ isPost: fc.boolean(), n: fc.nat({ max: 1 }) });
const lane = fc.constantFrom("interactive" as const, "standard" as const, "backfill" as const);

interface Wish {
  subject: { isPost: boolean; n: number };
  /** Of its idempotency key; null for none. */
  key: number | null;
  lane: Lane;
}

export const toSubmit = ({ subject: { isPost, n }, key, lane }: Wish): Command => {
  const name = isPost ? `post ${n}` : `page ${n}`;
  return toCommand(`submit ${name} ${key} ${lane}`, async ({ work, before }) => {
    const idempotencyKey = key === null ? null : `${isPost} ${key}`;
    const more: Partial<Submission> = { idempotencyKey, lane };
    const [accepted] = await work.accept([
      isPost ? toSubmission(`7100000000000000${n}`, more) : toCrawl(`page-${n}`, more),
    ]);
    const known = before.requests.find((r) => r.key !== null && r.key === idempotencyKey);
    expect(accepted?.created).toBe(known === undefined);
    if (known !== undefined) expect(accepted?.requestId).toBe(known.id);
  });
};

export const submit = fc
  .record({ subject, key: fc.option(fc.nat({ max: 3 })), lane })
  .map(toSubmit);

export const dispatch = fc
  .record({ queue, window: fc.integer({ min: 1, max: 4 }) })
  .map(({ queue, window }) =>
    toCommand(`dispatch ${queue} ${window}`, async ({ work, knowledge, before }) => {
      const dispatched = await work.dispatch(queue, window);
      const queued = before.jobs.filter((j) => j.queue === queue && j.state === "queued");
      expect(dispatched.length).toBeLessThanOrEqual(Math.max(0, window - queued.length));
      for (const { id, epoch } of dispatched) {
        expect(before.byId.get(id)).toMatchObject({ state: "ready", epoch: epoch - 1 });
      }
      const quarantinedCount = dispatched.filter(({ lane }) => lane === "quarantine").length;
      const isBusy = (job: Job) => job.queue === queue && job.lane === 0 && job.isInFlight;
      expect(quarantinedCount).toBeLessThanOrEqual(before.jobs.some(isBusy) ? 0 : 1);
      knowledge.hints.push(...dispatched);
    }),
  );

export const claim = index.map((i) =>
  toCommand(`claim ${i}`, async ({ work, knowledge: { hints }, before }) => {
    const refs = at(hints, i);
    const claimed = await work.claim(refs, "model");
    const due = refs.filter((ref) => holds(before.byId.get(ref.id), ref, "queued"));
    expect(claimed.map(toRef)).toEqual(due.map(toRef));
    for (const { id, expiredToken } of claimed)
      expect(expiredToken).toBe(before.byId.get(id)?.expiredToken);
  }),
);

/** Dispatches and claims at once: otherwise most runs would never get far. */
export const toStart = (queue: QueueName): Command =>
  toCommand(`start ${queue}`, async ({ work, knowledge: { hints } }) => {
    const dispatched = await work.dispatch(queue, WINDOW);
    expect(await work.claim(dispatched, "model")).toHaveLength(dispatched.length);
    hints.push(...dispatched);
  });

export const start = queue.map(toStart);

export const extend = index.map((i) =>
  toCommand(`heartbeat ${i}`, async ({ work, knowledge: { hints }, before }) => {
    const refs = at(hints, i);
    const held = refs.filter((ref) => holds(before.byId.get(ref.id), ref, "running"));
    expect(await work.extend(refs)).toEqual(held.map(toRef));
  }),
);

export const giveBack = index.map((i) =>
  toCommand(`return ${i}`, ({ work, knowledge: { hints } }) => work.return(at(hints, i))),
);

export const toExpire = (queue: QueueName): Command =>
  toCommand(`expire ${queue}`, async ({ work, pool, before }) => {
    await pool.query(
      "update stage_job set held_until = now() - interval '1 second' where queue = $1 and in_flight",
      [queue],
    );
    const overdue = before.jobs.filter((job) => job.queue === queue && job.isInFlight);
    const { requeued, expired, poisoned } = await work.reconcile();
    expect(requeued).toBe(overdue.filter(({ state }) => state === "queued").length);
    expect(expired + poisoned).toBe(overdue.filter(({ state }) => state === "running").length);
  });

export const expire = queue.map(toExpire);

export const flush = fc.constant(
  toCommand("flush", async ({ work, before }) => {
    expect(await work.requeueAll()).toBe(before.jobs.filter((j) => j.state === "queued").length);
  }),
);

export const toCancel = (i: number): Command =>
  toCommand(`cancel ${i}`, async ({ work, before }) => {
    const chosen = at(before.requests, i);
    const open = chosen.filter(({ state }) => state === "open");
    const ended = await work.cancel(chosen.map(({ id }) => id));
    expect(ended).toEqual(open.map(({ id }) => id));
    while ((await work.endChildren()) > 0);
  });

export const cancel = index.map(toCancel);

export const replan = fc.constant(
  toCommand("look for stranded requests", async ({ work }) => {
    expect(await work.replanStranded()).toEqual({ replanned: [], left: [] });
  }),
);
