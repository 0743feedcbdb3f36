import { type JobLane, RetryableError, SkipError } from "@clipmill/domain";
import { createQueueWorker, createSlots } from "@clipmill/queue";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { wipeQueue } from "../servers/wipe-queue.ts";
import { openQueueFixture, type QueueFixture } from "../work/queue-fixture.ts";
import { createToyStages, newPostId, silentLog, toSubmission } from "../work/toy-pipeline.ts";

const WAIT = { timeout: 15_000, interval: 20 };

/** The queue package's contract: the same on every backend. `redisUrl` null: BullMQ runs on Postgres. */
export function describeQueueBackend(title: string, redisUrl: () => string | null): void {
  describe(title, () => {
    let fixture: QueueFixture;
    let database: QueueFixture["database"];
    let hints: QueueFixture["hints"];
    let start: QueueFixture["start"];
    let requests: QueueFixture["requests"];

    beforeEach(async () => {
      fixture = await openQueueFixture(redisUrl());
      ({ database, hints, start, requests } = fixture);
    });

    afterEach(() => fixture[Symbol.asyncDispose]());

    test("takes posts through all their stages", async () => {
      const { work } = start();
      await work.accept(Array.from({ length: 40 }, () => toSubmission(newPostId())));
      await vi.waitFor(async () => expect(await requests("done")).toHaveLength(40), WAIT);
      const { rows } = await database.pool.query(
        "select distinct state, epoch, attempts from stage_job",
      );
      expect(rows).toEqual([{ state: "done", epoch: 1, attempts: 0 }]);
    });

    test("starts quick steps eagerly: one hint a post, once its stages are known", async () => {
      const { work } = start();
      const countHints = (name: string) =>
        hints.queues.find((queue) => queue.name === name)?.getCompletedCount();
      for (let total = 1; total <= 6; total++) {
        await work.accept([toSubmission(newPostId())]);
        await vi.waitFor(async () => expect(await requests("done")).toHaveLength(total), WAIT);
        // Only the first one of a stage. BullMQ notes its end after ours.
        await vi.waitFor(async () => expect(await countHints("llm")).toBe(1), WAIT);
      }
      // The queue of one slot leaves it to hints.
      await vi.waitFor(async () => expect(await countHints("gpu")).toBe(6), WAIT);
    });

    test("retries what may be retried, as often as the stage allows", async () => {
      const triesByStage = new Map<string, number>();
      const { work } = start({
        run: async (name, postId) => {
          const tries = (triesByStage.get(name) ?? 0) + 1;
          triesByStage.set(name, tries);
          if (name === "first" && tries < 3)
            throw new RetryableError("upstream_unavailable", "down");
          if (name === "third") throw new RetryableError("upstream_unavailable", "down for good");
          return { output: { postId } };
        },
      });
      await work.accept([toSubmission(newPostId())]);
      await vi.waitFor(async () => expect(await requests("failed")).toHaveLength(1), WAIT);
      expect(Object.fromEntries(triesByStage)).toEqual({ first: 3, second: 1, third: 3 });
    });

    test("completes a skipped job and ends its request as skipped", async () => {
      const { work } = start({
        run: async () => {
          throw new SkipError("gone", "deleted");
        },
      });
      await work.accept([toSubmission(newPostId())]);
      await vi.waitFor(async () => expect(await requests("skipped")).toHaveLength(1), WAIT);
    });

    test("loses nothing when the queue is wiped", async () => {
      const gate = Promise.withResolvers<void>();
      const { work } = start({
        reconcile: true,
        run: async (_name, postId) => {
          await gate.promise;
          return { output: { postId } };
        },
      });
      await vi.waitFor(async () => expect(await hints.isIntact()).toBe(true), WAIT);
      await work.accept(Array.from({ length: 40 }, () => toSubmission(newPostId())));
      const queued = () => database.pool.query("select 1 from stage_job where state = 'queued'");
      await vi.waitFor(async () => expect((await queued()).rows.length).toBeGreaterThan(0), WAIT);
      await wipeQueue(fixture.backend.kind, { database, redisUrl: redisUrl() ?? "" });
      gate.resolve();
      await vi.waitFor(async () => expect(await requests("done")).toHaveLength(40), WAIT);
    });

    test("gives a job back when its worker stops, without counting an attempt", async () => {
      const started = Promise.withResolvers<void>();
      const { work, runner } = start({
        run: (_name, _postId, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(new Error("aborted")));
            started.resolve();
          }),
      });
      const postId = newPostId();
      await work.accept([toSubmission(postId)]);
      await started.promise;
      runner.releaseAll();
      await vi.waitFor(async () => {
        const { rows } = await database.pool.query(
          "select attempts, crashes, state from stage_job where key = $1",
          [postId],
        );
        expect(rows).toMatchObject([
          { attempts: 0, crashes: 0, state: expect.stringMatching(/ready|queued/) as string },
        ]);
      }, WAIT);
    });

    test("keeps a long job's lease alive, and stops one whose lease was taken", async () => {
      const release = Promise.withResolvers<void>();
      const lost = Promise.withResolvers<string>();
      const { work } = start({
        leaseMs: 600,
        run: async (name, postId, { signal }) => {
          if (name === "first") await release.promise;
          if (name === "second") {
            await new Promise<void>((resolve) => {
              signal.addEventListener("abort", () =>
                resolve(lost.resolve((signal.reason as Error).name)),
              );
            });
          }
          return { output: { postId } };
        },
      });
      const postId = newPostId();
      await work.accept([toSubmission(postId)]);
      const deadlineOf = async (stage: string) =>
        (
          await database.pool.query<{ deadline: string | null }>(
            "select held_until::text as deadline from stage_job where key = $1 and stage = $2 and state = 'running'",
            [postId, stage],
          )
        ).rows[0]?.deadline;
      const firstDeadline = await vi.waitFor(async () => {
        const deadline = await deadlineOf("first");
        expect(deadline).toBeTruthy();
        return deadline;
      }, WAIT);
      await vi.waitFor(async () => expect(await deadlineOf("first")).not.toBe(firstDeadline), WAIT);
      release.resolve();
      await vi.waitFor(async () => expect(await deadlineOf("second")).toBeTruthy(), WAIT);
      await database.pool.query(
        "update stage_job set epoch = epoch + 1 where key = $1 and stage = 'second'",
        [postId],
      );
      expect(await lost.promise).toBe("LeaseLostError");
      await database.pool.query("delete from stage_job where key = $1", [postId]);
    });

    test("delivers interactive hints first, then those of tenants with little in flight", async () => {
      const served: string[] = [];
      const pushed = "backfill- standard- standard+ backfill! interactive- interactive+".split(" ");
      const jobs = pushed.map((key, id) => {
        const lane = key.slice(0, -1) as JobLane;
        const [underShare, shareDue] = [key.endsWith("+"), key.endsWith("!")];
        const place = { lane, underShare, shareDue, overflow: false };
        return { id, epoch: 1, queue: "cpu", stage: "first", key, ...place } as const;
      });
      await hints.push("cpu", jobs);
      const worker = createQueueWorker({
        backend: fixture.backend,
        queue: "cpu",
        slots: createSlots(1),
        runner: {
          run({ id }) {
            served.push(pushed[id] ?? "");
            return Promise.resolve({ kind: "stale", code: null });
          },
        },
        log: silentLog,
      });
      fixture.onClose(() => worker.close());
      const expected = "interactive+ backfill! interactive- standard+ backfill- standard-";
      await vi.waitFor(() => expect(served.join(" ")).toBe(expected), WAIT);
    });

    test("tells why hints do not reach the workers of a queue: it is paused", async () => {
      const gpu = hints.queues.find(({ name }) => name === "gpu");
      expect(await hints.findTrouble("gpu")).toBeNull();
      await gpu?.pause();
      expect(await hints.findTrouble("gpu")).toContain("the queue gpu is paused");
      expect(await hints.findTrouble("io")).toBeNull();
      await gpu?.resume();
      expect(await hints.findTrouble("gpu")).toBeNull();
    });

    test("refuses two processors of one stage", () => {
      const stages = [...createToyStages(), ...createToyStages()];
      expect(() => start({ stages })).toThrow("stage first has two processors");
    });
  });
}
