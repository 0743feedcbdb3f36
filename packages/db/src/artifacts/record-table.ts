import type { RecordKind } from "@clipmill/domain";
import type { Queryable } from "../database.ts";

/** Where records of one kind are stored. */
export interface RecordTable<Row = unknown> {
  readonly kind: RecordKind<Row>;
  /** Missing if the rows are not stored in one table with a column for each field. */
  readonly stored?: TableColumns<Row>;
  /**
   * Stores a batch in one statement. The rows must have different keys and be sorted by key, so that two batches cannot
   * deadlock.
   */
  save(tx: Queryable, rows: readonly Row[]): Promise<void>;
}

/** Names of column types in SQL. */
export type SqlType = "text" | "text[]" | "jsonb" | "boolean" | "smallint" | "integer" | "bigint";

/**
 * A table with a column for each field of a row: `media_sha256` for `mediaSha256`. A test compares the tables of the
 * built-in kinds with the schema. Only types and migrations may import the schema itself: a program that loads it takes
 * 350 MB instead of 105, measured after the import alone.
 */
export interface TableColumns<Row> {
  table: string;
  columns: Readonly<Record<keyof Row & string, SqlType>>;
}

/** For `satisfies`: a table or column that the schema does not have does not compile. */
export interface StoredIn<Table extends { $inferInsert: object; _: { name: string } }> {
  table: Table["_"]["name"];
  columns: Partial<Record<keyof Table["$inferInsert"], SqlType>>;
}

/** The name of a field's column: `media_sha256` for `mediaSha256`. */
export function toColumn(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export interface RecordTableOptions {
  /** The `on conflict` clause, for a row whose key is stored already. Default: the stored row stays. */
  onConflict?: string;
}

/** Stores each field of a row in its column, unchanged. */
export function createRecordTable<Row>(
  kind: RecordKind<Row>,
  stored: TableColumns<Row>,
  { onConflict = "on conflict do nothing" }: RecordTableOptions = {},
): RecordTable<Row> {
  const fields = Object.entries<SqlType>(stored.columns);
  const into = fields.map(([field]) => toColumn(field)).join(", ");
  const from = fields.map(([field]) => `"${field}"`).join(", ");
  const typed = fields.map(([field, type]) => `"${field}" ${type}`).join(", ");
  const text = `insert into ${stored.table} (${into})
    select ${from} from jsonb_to_recordset($1::jsonb) as r (${typed})
    ${onConflict}`;
  return {
    kind,
    stored,
    async save(tx, rows) {
      await tx.query({ name: `save_${kind.name}`, text, values: [JSON.stringify(rows)] });
    },
  };
}
