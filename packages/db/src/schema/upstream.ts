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
 * Rate, pause and breaker of one upstream under one credential, shared by all processes. Soft state: whoever loses it
 * learns it again from the upstream's answers.
 */
export const upstream = pgTable("upstream", {
  /** Engine id and a hash of the credential. */
  id: text().primaryKey(),
  /** Changes are compared with it and raise it: no lock is held while a process thinks. */
  version: bigint({ mode: "number" }).notNull().default(1),
  nextTurnAt: moment("next_turn_at").notNull(),
  pace: doublePrecision().notNull(),
  paceAt: moment("pace_at").notNull(),
  /** Null: calls flow. `throttled` ends at `paused_until`; the others end with the first probe that succeeds. */
  pauseCode: text("pause_code"),
  pausedUntil: moment("paused_until"),
  failedProbes: smallint("failed_probes").notNull().default(0),
  probeUntil: moment("probe_until"),
  tallies: jsonb().notNull(),
  holders: jsonb().notNull(),
  updatedAt: moment("updated_at").notNull().defaultNow(),
});
