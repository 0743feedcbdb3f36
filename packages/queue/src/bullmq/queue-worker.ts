import type { JobRef, Log, QueueName } from "@clipmill/domain";
import { type Job, UnrecoverableError } from "bullmq";
import { parseHint, type QueueBackend } from "./backend.ts";
import type { JobEnd } from "../run/run-job.ts";
import type { Runner } from "../run/runner.ts";
import type { Slots } from "../run/slots.ts";
import type { CallTurns } from "../run/limits/call-turns.ts";
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

/** Of a stranger's name for a hint, in the log. */
const SHOWN_CHARS = 100;

/** Drains one queue: BullMQ delivers hints, the runner does the work. */
export function createQueueWorker(options: {
  backend: QueueBackend;
  queue: QueueName;
  /** Shared with jobs that start eagerly. One more than `turns`, where there are any. */
  slots: Slots;
  /** Of the machine behind the queue, for which one job is claimed ahead while its calls are quick. Default: none. */
  turns?: CallTurns | undefined;
  runner: Pick<Runner, "run">;
  log: Log;
}): QueueWorker {
  const { backend, queue, slots, turns, runner } = options;
  const log = options.log.child({ queue });
  const report = createErrorLog(log, "queue error");
  const reportDropped = createErrorLog(log, "hint dropped: it names no job");
  const toConcurrency = () => (turns === undefined || turns.isQuick() ? slots.size : turns.size);
  const worker = backend.createWorker(queue, process, { concurrency: toConcurrency() });
  worker.on("error", report);

  let lastTakenAt = Date.now();

  async function process(job: Job<unknown, string, string>): Promise<string> {
    lastTakenAt = Date.now();
    const hint = parseHint(job.data);
    if (hint === null) {
      reportDropped(new Error(`the hint ${String(job.id).slice(0, SHOWN_CHARS)} is malformed`));
      return "dropped: malformed";
    }
    const { kind, code } = await runInSlot(hint, job.opts?.priority);
    // What is thrown or returned here is for the dashboard only: what comes next is decided in Postgres.
    if (kind === "failed" || kind === "retry")
      throw new UnrecoverableError(`${kind}: ${code ?? "unknown"}`);
    return code === null ? kind : `${kind}: ${code}`;
  }

  async function runInSlot(hint: JobRef, priority: number | undefined): Promise<JobEnd> {
    // In BullMQ's order, also while a job that started eagerly has the slot.
    await slots.take(priority);
    try {
      return await runner.run(hint);
    } finally {
      slots.leave();
      // Before BullMQ asks for the next hint: see `CallTurns.isQuick`.
      worker.concurrency = toConcurrency();
    }
  }

  return {
    queue,
    lastTakenAt: () => lastTakenAt,
    isFull: () => slots.size - slots.freeCount() >= worker.concurrency,
    close: () => worker.close(),
  };
}
