import type { Log, QueueName } from "@clipmill/domain";
import { type Job, UnrecoverableError } from "bullmq";
import type { Hint, QueueBackend } from "./backend.ts";
import type { Runner } from "../run/runner.ts";
import type { Slots } from "../run/slots.ts";
import { createErrorLog } from "../throttled-log.ts";

export interface QueueWorker {
  readonly queue: QueueName;
  /** When a hint was last taken, or the worker was created; ms since the epoch. */
  lastTakenAt(): number;
  /** No slot is free. */
  isFull(): boolean;
  /** Takes nothing new; resolves when what is under way has ended. */
  close(): Promise<void>;
}

/** Drains one queue: BullMQ delivers hints, the runner does the work. */
export function createQueueWorker(options: {
  backend: QueueBackend;
  queue: QueueName;
  /** Shared with jobs that start eagerly. */
  slots: Slots;
  runner: Pick<Runner, "run">;
  log: Log;
}): QueueWorker {
  const { backend, queue, slots, runner } = options;
  const report = createErrorLog(options.log.child({ queue }), "queue error");
  const worker = backend.createWorker(queue, process, { concurrency: slots.size });
  worker.on("error", report);

  let lastTakenAt = Date.now();

  async function process(job: Job<Hint, string, string>): Promise<string> {
    lastTakenAt = Date.now();
    // In BullMQ's order, also while a job that started eagerly has the slot.
    await slots.take(job.opts.priority);
    const { kind, code } = await runner
      .run({ id: job.data.id, epoch: job.data.epoch })
      .finally(() => slots.leave());
    // What is thrown or returned here is for the dashboard only: what comes next is decided in Postgres.
    if (kind === "failed" || kind === "retry")
      throw new UnrecoverableError(`${kind}: ${code ?? "unknown"}`);
    return code === null ? kind : `${kind}: ${code}`;
  }

  return {
    queue,
    lastTakenAt: () => lastTakenAt,
    isFull: () => slots.isFull(),
    close: () => worker.close(),
  };
}
