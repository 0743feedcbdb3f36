import type { JobRef, Log, WorkStore } from "@clipmill/domain";
import { createErrorLog } from "./throttled-log.ts";

/** Keeps the leases of this process's jobs, and aborts those that were lost. */
export interface Leases {
  /** Aborted with `reason` when the lease is lost: another worker may hold the job by then. */
  hold(ref: JobRef, abort: AbortController): void;
  drop(ref: JobRef): void;
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
    hold: (ref, abort) => void held.set(toKey(ref), { ref, abort }),
    drop: (ref) => void held.delete(toKey(ref)),
    close: () => clearInterval(timer),
  };
}

function toKey({ id, epoch }: JobRef): string {
  return `${id}-${epoch}`;
}
