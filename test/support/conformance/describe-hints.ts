import type { JobRef } from "@clipmill/domain";
import { createQueueWorker, createSlots, type Hint } from "@clipmill/queue";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openQueueFixture, type QueueFixture } from "../work/queue-fixture.ts";
import { silentLog } from "../work/toy-pipeline.ts";

const WAIT = { timeout: 15_000, interval: 20 };
const SLOTS = 2;

/** What others may do to a queue, and what a worker makes of it: the same on every backend. `redisUrl` as above. */
export function describeHints(title: string, redisUrl: () => string | null): void {
  describe(title, () => {
    let fixture: QueueFixture;
    let hints: QueueFixture["hints"];
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
      const log = { ...silentLog, child: () => ({ ...silentLog, error }) };
      const ran: JobRef[] = [];
      const run = async (ref: JobRef) => {
        ran.push(ref);
        return { kind: "done" as const, code: null };
      };
      for (let i = 0; i <= SLOTS; i++) await findQueue()?.add("strange", data as Hint);
      await findQueue()?.add("known", { id: 7, epoch: 1 });
      const slots = createSlots(SLOTS);
      const { backend } = fixture;
      const worker = createQueueWorker({ backend, queue: "io", slots, runner: { run }, log });
      await vi.waitFor(() => expect(ran).toEqual([{ id: 7, epoch: 1 }]), WAIT);
      await vi.waitFor(async () => expect(await findQueue()?.getCompletedCount()).toBe(4), WAIT);
      await worker.close();
      expect(slots.isFull()).toBe(false);
      expect(error).toHaveBeenCalledOnce();
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
