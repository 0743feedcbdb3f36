import type { QueueName } from "@clipmill/domain";
import type { QueueBackend } from "@clipmill/queue";

/** What the harness tells a process that it starts. */
export interface ChaosArguments {
  databaseUrl: string;
  /** Where BullMQ keeps its hints; on Postgres this is the same database on a way of its own. */
  queue: { backend: QueueBackend["kind"]; url: string };
  /** Of the keys on Redis. */
  prefix: string;
  roles: readonly ("dispatch" | "reconcile" | "work")[];
  queues: readonly QueueName[];
  upstreamUrl: string;
  storageDirectory: string;
  control: Control | null;
}

/** A protection that is taken out, so that the harness can prove that it would have noticed. */
export const CONTROLS = [
  "no-fence",
  "no-reconciler",
  "settle-after-commit",
  "fixed-job-id",
  "no-window",
  "no-replan",
  "submit-after-commit",
  "resolve-after-commit",
  "resolve-any-epoch",
] as const;
export type Control = (typeof CONTROLS)[number];

/** A tenth of the product's, so that two minutes hold many leases. */
export const LEASE_MS = 3_000;
export const QUEUED_FOR_MS = 5_000;
export const RECONCILE_EVERY_MS = 500;
/** Hints that may stand in each queue. */
export const WINDOW = 12;

/** Of a run's keys on Redis. */
export const CHAOS_PREFIX = "chaos";

export type ToProcess = { type: "block"; ms: number };

export type FromProcess =
  | { type: "ready"; url?: string }
  /** It was asked to, and is over. */
  | { type: "blocked" }
  /** Results refused because another worker held the job by then. */
  | { type: "fenced"; count: number }
  /** Next steps that the worker which ended the one before them ran at once. */
  | { type: "eager"; count: number }
  | { type: "reconciled"; count: number }
  /** Open requests that had no open job, planned anew. */
  | { type: "replanned"; ids: readonly string[] };

export function parseArguments(): ChaosArguments {
  return JSON.parse(process.argv[2] ?? "{}") as ChaosArguments;
}

export function tell(message: FromProcess): void {
  // The harness may be gone; `disconnect` ends this process then.
  if (process.connected) process.send?.(message);
}

/** Nobody would stop this process if the harness died. */
export function endWithHarness(): void {
  process.on("disconnect", end);
  // It died while this process was still loading, and nobody heard of it.
  if (!process.connected) end();
}

/** As everything here dies. `process.exit` waits for threads, and some were seen to wait for ever. */
function end(): void {
  process.kill(process.pid, "SIGKILL");
}
