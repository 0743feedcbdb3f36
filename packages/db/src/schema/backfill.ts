import { sql } from "drizzle-orm";
import {
  check,
  integer,
  jsonb,
  pgSequence,
  pgTable,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

export const backfillNumber = pgSequence("backfill_number");

/**
 * A list of links that a caller streamed to us. The counts are committed together with the requests that they count, so
 * an upload that broke off continues at `line_count`, and no item is lost or accepted twice.
 */
export const backfill = pgTable(
  "backfill",
  {
    id: text().primaryKey(),
    /**
     * A short id for the keys of its items. Null in lists older than this column, whose items have the id in their
     * keys.
     */
    number: integer().default(sql`nextval('backfill_number')`),
    tenant: text().notNull(),
    idempotencyKey: text("idempotency_key"),
    /** Hash of the options. The same key with another hash is a conflict. */
    optionsHash: text("options_hash").notNull(),
    state: text().notNull().default("accepting"),
    /** Items read so far, without empty lines and a header. */
    lineCount: integer("line_count").notNull().default(0),
    acceptedCount: integer("accepted_count").notNull().default(0),
    /** Posts that were in the list already. */
    duplicateCount: integer("duplicate_count").notNull().default(0),
    invalidCount: integer("invalid_count").notNull().default(0),
    /** The first of them, as `[{"line": 3, "reason": "…"}]`. */
    invalidLines: jsonb("invalid_lines")
      .$type<{ line: number; reason: string }[]>()
      .notNull()
      .default([]),
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
