import { createWorkerRegistry } from "@clipmill/db";
import type { Lane } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];
let stagesOf: WorkFixture["stagesOf"];
let requestOf: WorkFixture["requestOf"];

beforeAll(async () => {
  fixture = await openWorkFixture();
  ({ work, rows, stagesOf, requestOf } = fixture);
});

afterAll(() => fixture[Symbol.asyncDispose]());

describe("dispatch", () => {
  test("dispatches interactive work before a backlog, and keeps a share for the lanes below", async () => {
    const backlog = Array.from({ length: 300 }, () =>
      toSubmission(newPostId(), { lane: "backfill" }),
    );
    await work.accept(backlog);
    const urgent = Array.from({ length: 100 }, () =>
      toSubmission(newPostId(), { lane: "interactive" }),
    );
    await work.accept(urgent);
    await rows(
      "update stage_job set state = 'ready', run_at = now(), held_until = null where state = 'queued'",
    );
    const dispatched = await work.dispatch("io", 50);
    const count = (lane: string) => dispatched.filter((job) => job.lane === lane).length;
    expect(dispatched).toHaveLength(50);
    expect(count("interactive")).toBeGreaterThan(25);
    expect(count("backfill")).toBeGreaterThanOrEqual(5);
    expect(await work.dispatch("io", 50)).toEqual([]);
    await rows("delete from stage_job where state in ('ready', 'queued')");
  });

  test("tells when the first job of each queue is due, behind any number that are later", async () => {
    const all = ["io", "gpu", "cpu", "llm"] as const;
    expect(await work.findDue(all)).toEqual(new Map());
    const tenants = Array.from({ length: 30 }, (_, n) => `patient-${String(n).padStart(2, "0")}`);
    await work.accept(tenants.map((tenant) => toSubmission(newPostId(), { tenant })));
    expect(await work.findDue(all)).toEqual(new Map([["io", 0]]));
    expect(await work.findDue(["gpu", "llm"])).toEqual(new Map());
    await rows("update stage_job set run_at = now() + interval '1 hour' where state = 'ready'");
    await rows(
      "update stage_job set run_at = run_at - interval '1 minute' where tenant = 'patient-23'",
    );
    const dueInMs = (await work.findDue(all)).get("io") ?? 0;
    expect(dueInMs).toBeGreaterThan(58 * 60_000);
    expect(dueInMs).toBeLessThanOrEqual(59 * 60_000);
    expect(await work.dispatch("io", 50)).toEqual([]);
    await rows("update stage_job set run_at = now() where tenant = 'patient-17'");
    expect(await work.findDue(all)).toEqual(new Map([["io", 0]]));
    expect(await work.dispatch("io", 50)).toHaveLength(1);
    expect((await work.findDue(all)).get("io")).toBeGreaterThan(0);
    await rows("delete from stage_job where state in ('ready', 'queued')");
  });

  test("leaves lanes that are held as they are, and the better ones go on", async () => {
    for (const lane of ["interactive", "standard", "backfill"] as const)
      await work.accept(Array.from({ length: 3 }, () => toSubmission(newPostId(), { lane })));
    await rows("update stage_job set state = 'ready', run_at = now() where state = 'queued'");
    const lanesOf = async (lowest: Lane) =>
      new Set((await work.dispatch("io", 9, { lowest })).map(({ lane }) => lane));
    expect(await lanesOf("interactive")).toEqual(new Set(["interactive"]));
    expect(await lanesOf("standard")).toEqual(new Set(["standard"]));
    expect(await lanesOf("backfill")).toEqual(new Set(["backfill"]));
    await rows("delete from stage_job where state in ('ready', 'queued')");
  });

  test("tells which lane has filled a queue, if somebody serves it, and counts what is due", async () => {
    const registry = createWorkerRegistry(fixture.database);
    const laneAt = async (place: number) =>
      (await work.findLanesAt(new Map([["io" as const, place]]))).get("io");
    for (const lane of ["standard", "backfill"] as const)
      await work.accept(Array.from({ length: 3 }, () => toSubmission(newPostId(), { lane })));
    await rows("update stage_job set state = 'ready', run_at = now() where state = 'queued'");
    expect(await laneAt(1)).toBeUndefined();
    await registry.report({ id: "w", queues: ["io"], engines: [], slots: { io: 1 } });
    expect(await laneAt(3)).toBe("standard");
    expect(await laneAt(4)).toBe("backfill");
    expect(await laneAt(7)).toBeUndefined();
    await rows("update stage_job set run_at = now() + interval '1 hour' where lane = 2");
    expect(await laneAt(3)).toBe("backfill");
    expect(await laneAt(4)).toBeUndefined();
    const troubles = { io: "the queue io is paused", gpu: null, cpu: null, llm: null };
    await registry.reportDispatch(troubles);
    expect(await laneAt(3)).toBeUndefined();
    await rows("delete from stage_job where state in ('ready', 'queued')");
  });

  test("shares a lane between tenants whatever their backlogs", async () => {
    await work.accept(
      Array.from({ length: 200 }, () => toSubmission(newPostId(), { tenant: "loud" })),
    );
    await work.accept(
      Array.from({ length: 10 }, () => toSubmission(newPostId(), { tenant: "quiet" })),
    );
    const dispatched = await work.dispatch("io", 20);
    const { rows: tenants } = await fixture.database.pool.query(
      "select tenant, count(*) from stage_job where id = any ($1) group by tenant order by tenant",
      [dispatched.map((job) => job.id)],
    );
    expect(tenants).toEqual([
      { tenant: "loud", count: 10 },
      { tenant: "quiet", count: 10 },
    ]);
    await rows("delete from stage_job where state in ('ready', 'queued')");
  });

  test("moves a waiting job up when a better-placed request joins", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId, { lane: "backfill" })]);
    await work.accept([toSubmission(postId, { lane: "interactive" })]);
    expect(await stagesOf(postId)).toMatchObject([{ lane: 1 }]);
  });
});

describe("reconcile", () => {
  test("condemns a job only after three crashes on its own, and never its neighbour", async () => {
    await rows("delete from stage_job where state in ('ready', 'queued')");
    const culprit = newPostId();
    const neighbour = newPostId();
    const [guilty, innocent] = await work.accept([toSubmission(culprit), toSubmission(neighbour)]);
    const expireLeases = () =>
      rows("update stage_job set held_until = now() - interval '1 second' where state = 'running'");
    // Both run when the worker crashes; from then on each runs alone.
    await work.claim(await work.dispatch("io", 10), "doomed");
    await expireLeases();
    expect(await work.reconcile()).toMatchObject({ expired: 2, poisoned: 0 });

    let culpritRuns = 0;
    for (let round = 0; round < 4; round++) {
      const dispatched = await work.dispatch("io", 10);
      expect(dispatched).toMatchObject([{ lane: "quarantine" }]);
      const [job] = await work.claim(dispatched, "alone");
      if (job === undefined) throw new Error("not claimed");
      if (job.key === neighbour) {
        await work.settle([toDone(job, neighbour)]);
      } else {
        culpritRuns++;
        expect(await work.startAlone(job)).toBe(true);
        await expireLeases();
        expect(await work.reconcile()).toMatchObject({ poisoned: culpritRuns === 3 ? 1 : 0 });
      }
    }
    expect(await requestOf(guilty?.requestId)).toMatchObject({
      state: "failed",
      error_code: "poison",
    });
    expect(await requestOf(innocent?.requestId)).toMatchObject({ state: "open" });
    expect(await stagesOf(neighbour)).toMatchObject([
      { stage: "first", state: "done" },
      { stage: "second" },
    ]);
  });

  test("counts no crash against a job that still waited to run alone", async () => {
    await rows("delete from stage_job where state in ('ready', 'queued')");
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    for (let crash = 0; crash < 5; crash++) {
      const [job] = await work.claim(await work.dispatch("io", 10), "doomed");
      if (job === undefined) throw new Error("not claimed");
      await rows(
        "update stage_job set held_until = now() - interval '1 second' where state = 'running'",
      );
      expect(await work.reconcile()).toMatchObject({ expired: 1, poisoned: 0 });
      expect(await work.startAlone(job)).toBe(false);
    }
    const [job] = await work.claim(await work.dispatch("io", 10), "alone");
    if (job === undefined) throw new Error("not claimed");
    expect(await work.startAlone(job)).toBe(true);
    await work.settle([toDone(job, postId)]);
    expect((await stagesOf(postId))[0]).toMatchObject({ stage: "first", state: "done" });
  });

  test("requeues a hint that nobody claimed in time", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    await work.dispatch("io", 1_000);
    await rows(
      "update stage_job set held_until = now() - interval '1 second' where state = 'queued'",
    );
    expect((await work.reconcile()).requeued).toBeGreaterThanOrEqual(1);
    expect(await stagesOf(postId)).toMatchObject([{ state: "ready", attempts: 0 }]);
  });
});
