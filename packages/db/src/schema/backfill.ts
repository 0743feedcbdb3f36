import { sql } from "drizzle-orm";
import {
  check,
  integer,
  pgSequence,
  pgTable,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

export const backfillNumber = pgSequence("backfill_number");

/**
 * A list of links that was streamed to us. The counts are committed with the requests that they count, so a list
 * that broke off goes on at `line_count` without a gap and without a double.
 */
export const backfill = pgTable(
  "backfill",
  {
    id: text().primaryKey(),
    /** Short, for the keys of its items; null where they hold the id, in lists that were begun before it was there. */
    number: integer().default(sql`nextval('backfill_number')`),
    tenant: text().notNull(),
    idempotencyKey: text("idempotency_key"),
    /** Hash of what was asked beside the links; the same key with another one is a conflict. */
    optionsHash: text("options_hash").notNull(),
    state: text().notNull().default("accepting"),
    /** Items read so far, empty lines and a header left out. */
    lineCount: integer("line_count").notNull().default(0),
    acceptedCount: integer("accepted_count").notNull().default(0),
    /** Posts that stood in the list before. */
    duplicateCount: integer("duplicate_count").notNull().default(0),
    invalidCount: integer("invalid_count").notNull().default(0),
    createdAt: moment("created_at").notNull().defaultNow(),
    updatedAt: moment("updated_at").notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex("backfill_idempotency")
      .on(t.tenant, t.idempotencyKey)
      .where(sql`idempotency_key is not null`),
    check("backfill_state", sql`state in ('accepting', 'interrupted', 'accepted')`),
    check("backfill_counts", sql`line_count = accepted_count + duplicate_count + invalid_count`),
  ],
);
