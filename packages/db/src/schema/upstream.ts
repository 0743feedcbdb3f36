import {
  bigint,
  doublePrecision,
  jsonb,
  pgTable,
  smallint,
  text,
  timestamp,
} from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

/**
 * Rate, pause and breaker of one upstream under one credential, shared by all processes. May be lost: the limiter
 * learns it again from the upstream's answers.
 */
export const upstream = pgTable("upstream", {
  /** Engine id and a hash of the credential. */
  id: text().primaryKey(),
  /** Raised by each change. A change fails if it has been raised since the read, so no lock is needed in between. */
  version: bigint({ mode: "number" }).notNull().default(1),
  nextTurnAt: moment("next_turn_at").notNull(),
  pace: doublePrecision().notNull(),
  paceAt: moment("pace_at").notNull(),
  /** Null: not paused. `throttled` ends at `paused_until`; other pauses end with the first probe that succeeds. */
  pauseCode: text("pause_code"),
  pausedUntil: moment("paused_until"),
  failedProbes: smallint("failed_probes").notNull().default(0),
  probeUntil: moment("probe_until"),
  tallies: jsonb().notNull(),
  holders: jsonb().notNull(),
  updatedAt: moment("updated_at").notNull().defaultNow(),
});
