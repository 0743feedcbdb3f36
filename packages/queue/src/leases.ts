import type { JobRef, Log, WorkStore } from "@clipmill/domain";
import { createErrorLog } from "./throttled-log.ts";

/** Keeps the leases of this process's jobs, and aborts those that were lost. */
export interface Leases {
  /** From now on; aborted with a LeaseLostError when another worker may hold the job. */
  hold(ref: JobRef): AbortController;
  drop(ref: JobRef): void;
  /** Aborts all that are held now; their leases are kept until they are dropped. */
  abortAll(reason: Error): void;
  close(): void;
}

/** The abort reason of a job whose lease was lost. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
}

export function createLeases({
  work,
  leaseMs,
  log,
}: {
  work: Pick<WorkStore, "extend">;
  leaseMs: number;
  log: Log;
}): Leases {
  const report = createErrorLog(log, "lease extension failed");
  const held = new Map<string, { ref: JobRef; abort: AbortController }>();

  async function extend(): Promise<void> {
    const asked = [...held.values()];
    if (asked.length === 0) return;
    const kept = new Set((await work.extend(asked.map(({ ref }) => ref))).map(toKey));
    for (const { ref, abort } of asked) {
      // A job that was settled meanwhile is no longer in `held` and was not lost.
      if (!kept.has(toKey(ref)) && held.get(toKey(ref))?.abort === abort)
        abort.abort(new LeaseLostError("the lease was lost"));
    }
  }

  const timer = setInterval(() => void extend().catch(report), leaseMs / 3);
  return {
    hold(ref) {
      const abort = new AbortController();
      held.set(toKey(ref), { ref, abort });
      return abort;
    },
    drop: (ref) => void held.delete(toKey(ref)),
    abortAll(reason) {
      for (const { abort } of held.values()) abort.abort(reason);
    },
    close: () => clearInterval(timer),
  };
}

function toKey({ id, epoch }: JobRef): string {
  return `${id}-${epoch}`;
}
