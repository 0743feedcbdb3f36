import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  index,
  integer,
  numeric,
  pgTable,
  text,
  timestamp,
} from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

/**
 * The price in dollars of each paid call. Before the call a row is written as `unknown` with the estimate, and after it
 * the row is settled. If the answer is lost it stays `unknown`, so that a budget never undercounts.
 */
export const costEntry = pgTable(
  "cost_entry",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    stageJobId: bigint("stage_job_id", { mode: "number" }).notNull(),
    epoch: integer().notNull(),
    engine: text().notNull(),
    state: text().notNull().default("unknown"),
    usd: numeric({ precision: 16, scale: 9 }).notNull(),
    createdAt: moment("created_at").notNull().defaultNow(),
  },
  (t) => [
    index("cost_entry_by_job").on(t.stageJobId),
    check("cost_entry_state", sql`state in ('unknown', 'settled', 'failed')`),
  ],
);
