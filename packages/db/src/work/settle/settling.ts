import { type EagerStart, failpoint, type WorkStore } from "@clipmill/domain";
import { type Database, type Queryable, withTransaction } from "../../database.ts";
import { createPatience } from "../../patience.ts";
import { advanceAttached } from "../plan/advance-attached.ts";
import { type DirectEnqueue, NO_DIRECT_ENQUEUE } from "../plan/insert-jobs.ts";
import type { Planning } from "../plan/planning.ts";
import { resolveWaits } from "./resolve.ts";
import { settleOutcomes } from "./settle.ts";
import type { WorkStoreOptions } from "../work-store.ts";

type SettlingOptions = Omit<WorkStoreOptions, "pipelines">;

/** See `WorkStoreOptions.settleWithinMs`. */
const SETTLE_WITHIN_MS = 10_000;

/** The methods that end jobs. Each call is one transaction. */
export function createSettling(
  { pool, reserved }: Pick<Database, "pool" | "reserved">,
  planning: Planning,
  options: SettlingOptions,
): Pick<WorkStore, "settle" | "resolve"> {
  const { settleWithinMs = SETTLE_WITHIN_MS } = options;
  const patience = createPatience(settleWithinMs);
  return {
    async settle(outcomes, eagerStart) {
      const directEnqueue = toDirectEnqueue(options, eagerStart ?? null);
      const write = async (tx: Queryable) => {
        const written = await settleOutcomes(tx, { ...planning, directEnqueue }, outcomes);
        failpoint("in-settle");
        return written;
      };
      const settled = await patience((withinMs) => withTransaction(reserved, write, { withinMs }));
      failpoint("after-settle");
      return settled;
    },
    async resolve(resolutions) {
      const resolved = await withTransaction(pool, async (tx) => {
        const refs = await resolveWaits(tx, resolutions);
        await advanceAttached(
          tx,
          planning,
          refs.map(({ id }) => id),
        );
        failpoint("in-resolve");
        return refs;
      });
      failpoint("after-resolve");
      return resolved;
    },
  };
}

function toDirectEnqueue(
  { window, queuedForMs, leaseMs }: SettlingOptions,
  eagerStart: EagerStart | null,
): DirectEnqueue {
  return window === undefined ? NO_DIRECT_ENQUEUE : { window, queuedForMs, leaseMs, eagerStart };
}
