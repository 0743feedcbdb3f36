import type { JobRef, Log } from "@clipmill/domain";
import {
  createQueueWorker,
  createSlots,
  createCallTurns,
  type Hint,
  type Runner,
  type Slots,
  type CallTurns,
} from "@clipmill/queue";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openQueueFixture, type QueueFixture } from "../work/queue-fixture.ts";
import { silentLog } from "../work/toy-pipeline.ts";

const WAIT = { timeout: 15_000, interval: 20 };
const SLOTS = 2;
const NEVER = new AbortController().signal;

/** What others may do to a queue, and what a worker makes of it: the same on every backend. `redisUrl` as above. */
export function describeHints(title: string, redisUrl: () => string | null): void {
  describe(title, () => {
    let fixture: QueueFixture;
    let hints: QueueFixture["hints"];
    const startWorker = ({
      run,
      log = silentLog,
      ...options
    }: { slots: Slots; turns?: CallTurns; log?: Log } & Pick<Runner, "run">) =>
      createQueueWorker({
        ...options,
        backend: fixture.backend,
        queue: "io",
        runner: { run },
        log,
      });
    const findQueue = () => hints.queues.find(({ name }) => name === "io");

    beforeEach(async () => {
      fixture = await openQueueFixture(redisUrl());
      ({ hints } = fixture);
    });

    afterEach(() => fixture[Symbol.asyncDispose]());

    test.each<[what: string, data: unknown]>([
      ["null", null],
      ["nothing", {}],
      ["a text", "text"],
      ["a list", [1, 1]],
      ["an id that is no number", { id: "abc", epoch: 1 }],
      ["no epoch", { id: 1 }],
      ["half an id", { id: 1.5, epoch: 1 }],
      ["an id below 0", { id: -1, epoch: 1 }],
      ["an id that no number holds", { id: 2 ** 60, epoch: 1 }],
      ["an epoch that no column holds", { id: 1, epoch: 2 ** 31 }],
    ])("a hint with %s is dropped and said once, and costs no slot", async (_what, data) => {
      const error = vi.fn<(fields: object, message: string) => void>();
      const log: Log = { ...silentLog, child: () => ({ ...silentLog, error }) };
      const ran: JobRef[] = [];
      const run = async (ref: JobRef) => {
        ran.push(ref);
        return { kind: "done" as const, code: null };
      };
      for (let i = 0; i <= SLOTS; i++) await findQueue()?.add("strange", data as Hint);
      await findQueue()?.add("known", { id: 7, epoch: 1 });
      const slots = createSlots(SLOTS);
      const worker = startWorker({ slots, run, log });
      await vi.waitFor(() => expect(ran).toEqual([{ id: 7, epoch: 1 }]), WAIT);
      await vi.waitFor(async () => expect(await findQueue()?.getCompletedCount()).toBe(4), WAIT);
      await worker.close();
      expect(slots.freeCount()).toBeGreaterThan(0);
      expect(error).toHaveBeenCalledOnce();
    });

    test("while a machine is quick, the next job begins during each call, and calls go one at a time", async () => {
      const turns = createCallTurns(1);
      const begun: number[] = [];
      const ended: number[] = [];
      let [callCount, mostCalls] = [0, 0];
      const call = async (id: number) => {
        mostCalls = Math.max(mostCalls, ++callCount);
        // Before the first call has ended nobody knows how long calls take.
        if (id > 1 && id < 5) await vi.waitFor(() => expect(begun).toContain(id + 1), WAIT);
        callCount--;
      };
      const run = async ({ id }: JobRef) => {
        begun.push(id);
        await turns.take(() => call(id), NEVER);
        ended.push(id);
        return { kind: "done" as const, code: null };
      };
      for (let id = 1; id <= 5; id++) await findQueue()?.add("known", { id, epoch: 1 });
      const worker = startWorker({ turns, slots: createSlots(2), run });
      await vi.waitFor(() => expect(ended).toEqual([1, 2, 3, 4, 5]), WAIT);
      expect(mostCalls).toBe(1);
      await worker.close();
    });

    test("a job behind a long call is given back, and none is taken in its place until the call has ended", async () => {
      const turns = createCallTurns(1);
      const long = Promise.withResolvers<void>();
      const ends: string[] = [];
      const run = async ({ id }: JobRef) => {
        try {
          await turns.take(() => (id === 2 ? long.promise : Promise.resolve()), NEVER);
          ends.push(`${id} done`);
          return { kind: "done" as const, code: null };
        } catch {
          ends.push(`${id} given back`);
          return { kind: "released" as const, code: null };
        }
      };
      for (let id = 1; id <= 4; id++) await findQueue()?.add("known", { id, epoch: 1 });
      const worker = startWorker({ turns, slots: createSlots(2), run });
      await vi.waitFor(() => expect(ends).toEqual(["1 done", "3 given back"]), WAIT);
      expect(worker.isFull()).toBe(true);
      expect(await hints.countWaiting("io")).toBe(1);
      long.resolve();
      await vi.waitFor(() => expect(ends.slice(2)).toEqual(["2 done", "4 done"]), WAIT);
      await worker.close();
    });

    test("somebody at the dashboard holds a queue back: it says so, and when no longer", async () => {
      const queue = findQueue();
      expect(await hints.isHeldBack("io")).toBe(false);
      await queue?.pause();
      expect(await hints.isHeldBack("io")).toBe(true);
      expect(await hints.isHeldBack("gpu")).toBe(false);
      await queue?.resume();
      expect(await hints.isHeldBack("io")).toBe(false);
      await queue?.setGlobalRateLimit(1, 3_600_000);
      expect(await hints.isHeldBack("io")).toBe(true);
      await queue?.removeGlobalRateLimit();
      expect(await hints.isHeldBack("io")).toBe(false);
    });
  });
}
