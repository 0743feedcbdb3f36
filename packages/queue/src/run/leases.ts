import { type JobRef, LeaseLostError, type Log, type WorkStore } from "@clipmill/domain";
import { createErrorLog } from "../throttled-log.ts";

/** Extends the leases of this process's jobs, and aborts jobs whose lease was lost. */
export interface Leases {
  /** Extends the lease from now on. Aborted with a LeaseLostError when another worker may hold the job. */
  hold(ref: JobRef): AbortController;
  /** The stage has ended and its outcome is being stored: the lease is still extended, but no longer aborts anything. */
  settling(ref: JobRef): void;
  /** Extends the lease no more. */
  drop(ref: JobRef): void;
  /** Aborts all jobs whose stage runs now, and those that are held later. */
  abortAll(reason: Error): void;
  close(): void;
}

/** Two of three extensions may fail or come late before a lease is lost. */
const EXTENSIONS_PER_LEASE = 3;

interface HeldLease {
  ref: JobRef;
  abort: AbortController;
}

export function createLeases({
  work,
  leaseMs,
  log,
}: {
  work: Pick<WorkStore, "extend" | "extendSettling">;
  leaseMs: number;
  log: Log;
}): Leases {
  const report = createErrorLog(log, "lease extension failed");
  const held = new Map<string, HeldLease>();
  const settling = new Map<string, JobRef>();
  let stopReason: Error | null = null;

  // Two statements: if the transaction that stores an outcome hangs, it must not hold up the leases of other jobs.
  const timer = setInterval(() => {
    void extendHeld(work, held).catch(report);
    void extendSettling(work, settling).catch(report);
  }, leaseMs / EXTENSIONS_PER_LEASE);
  return {
    hold(ref) {
      const abort = new AbortController();
      held.set(toKey(ref), { ref, abort });
      if (stopReason !== null) abort.abort(stopReason);
      return abort;
    },
    settling(ref) {
      held.delete(toKey(ref));
      settling.set(toKey(ref), ref);
    },
    drop: (ref) => void settling.delete(toKey(ref)),
    abortAll(reason) {
      stopReason = reason;
      for (const { abort } of held.values()) abort.abort(reason);
    },
    close: () => clearInterval(timer),
  };
}

async function extendHeld(
  work: Pick<WorkStore, "extend">,
  held: ReadonlyMap<string, HeldLease>,
): Promise<void> {
  const asked = [...held.values()];
  if (asked.length === 0) return;
  const own = new Set((await work.extend(asked.map(({ ref }) => ref))).map(toKey));
  for (const { ref, abort } of asked) {
    // A job that ended during the statement is no longer in `held`, and its lease was not lost.
    if (!own.has(toKey(ref)) && held.get(toKey(ref))?.abort === abort)
      abort.abort(new LeaseLostError("the lease was lost"));
  }
}

async function extendSettling(
  work: Pick<WorkStore, "extendSettling">,
  settling: ReadonlyMap<string, JobRef>,
): Promise<void> {
  if (settling.size > 0) await work.extendSettling([...settling.values()]);
}

function toKey({ id, epoch }: JobRef): string {
  return `${id}-${epoch}`;
}
