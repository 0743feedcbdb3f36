import { type JobRef, LeaseLostError, type Log, type WorkStore } from "@clipmill/domain";
import { createErrorLog } from "../throttled-log.ts";

/** Keeps the leases of this process's jobs, and aborts those that were lost. */
export interface Leases {
  /** From now on; aborted with a LeaseLostError when another worker may hold the job. */
  hold(ref: JobRef): AbortController;
  /** The stage has ended, and its outcome is being stored: the lease is kept, nothing is aborted. */
  keep(ref: JobRef): void;
  drop(ref: JobRef): void;
  /** Aborts all that are held now. */
  abortAll(reason: Error): void;
  close(): void;
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
  const held = new Map<string, { ref: JobRef; abort: AbortController }>();
  const kept = new Map<string, JobRef>();

  async function extend(): Promise<void> {
    const asked = [...held.values()];
    if (asked.length === 0) return;
    const own = new Set((await work.extend(asked.map(({ ref }) => ref))).map(toKey));
    for (const { ref, abort } of asked) {
      // A job that was settled meanwhile is no longer in `held` and was not lost.
      if (!own.has(toKey(ref)) && held.get(toKey(ref))?.abort === abort)
        abort.abort(new LeaseLostError("the lease was lost"));
    }
  }

  /** Apart: a transaction that hangs while it stores some of these must not hold up the others. */
  async function extendKept(): Promise<void> {
    if (kept.size > 0) await work.extendSettling([...kept.values()]);
  }

  const timer = setInterval(() => {
    void extend().catch(report);
    void extendKept().catch(report);
  }, leaseMs / 3);
  return {
    hold(ref) {
      const abort = new AbortController();
      held.set(toKey(ref), { ref, abort });
      return abort;
    },
    keep(ref) {
      held.delete(toKey(ref));
      kept.set(toKey(ref), ref);
    },
    drop: (ref) => void kept.delete(toKey(ref)),
    abortAll(reason) {
      for (const { abort } of held.values()) abort.abort(reason);
    },
    close: () => clearInterval(timer),
  };
}

function toKey({ id, epoch }: JobRef): string {
  return `${id}-${epoch}`;
}
