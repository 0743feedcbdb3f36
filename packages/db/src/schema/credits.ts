import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  index,
  integer,
  pgTable,
  smallint,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";

/** Customers. A tenant without a row has weight 1, no cap and no credits. */
export const tenant = pgTable(
  "tenant",
  {
    id: text().primaryKey(),
    /** Share of a lane, relative to the weights of the other tenants. */
    weight: smallint().notNull().default(1),
    /** At most this many jobs `queued` or `running` per queue; null for no cap. */
    maxInFlight: integer("max_in_flight"),
    /** Balances, equal to the sums of the ledger. Stored here so that a hold is one update with a condition. */
    available: bigint({ mode: "number" }).notNull().default(0),
    held: bigint({ mode: "number" }).notNull().default(0),
  },
  (t) => [
    // Tenants that may run nothing: why their jobs do not start is shown to whoever looks.
    index("tenant_stopped")
      .on(t.id)
      .where(sql`max_in_flight <= 0`),
    check("tenant_weight", sql`weight > 0`),
    check("tenant_balance", sql`available >= 0 and held >= 0`),
  ],
);

/** One movement of credits. A request has at most one hold, and at most one of capture and release. */
export const creditTxn = pgTable(
  "credit_txn",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    tenant: text().notNull(),
    /** Null for a grant. */
    requestId: text("request_id"),
    kind: text().notNull(),
    createdAt: timestamp("created_at", { withTimezone: true, mode: "string" })
      .notNull()
      .defaultNow(),
  },
  () => [
    uniqueIndex("credit_txn_hold")
      .on(sql`request_id`)
      .where(sql`kind = 'hold'`),
    uniqueIndex("credit_txn_end")
      .on(sql`request_id`)
      .where(sql`kind in ('capture', 'release')`),
    check("credit_txn_kind", sql`kind in ('grant', 'hold', 'capture', 'release')`),
  ],
);

/** Double entry: the amounts of a transaction sum to zero. */
export const creditEntry = pgTable(
  "credit_entry",
  {
    txnId: bigint("txn_id", { mode: "number" }).notNull(),
    /** `available` and `held` belong to the transaction's tenant; `revenue` and `funding` are ours. */
    account: text().notNull(),
    amount: bigint({ mode: "number" }).notNull(),
  },
  (t) => [
    index("credit_entry_by_txn").on(t.txnId),
    check("credit_entry_account", sql`account in ('available', 'held', 'revenue', 'funding')`),
  ],
);
