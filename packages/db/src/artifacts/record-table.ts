import type { RecordKind } from "@clipmill/domain";
import type { Queryable } from "../database.ts";

/** Where the rows of a kind of record are stored. */
export interface RecordTable<Row = unknown> {
  readonly kind: RecordKind<Row>;
  /** Missing where the rows are in no table of one column a field. */
  readonly stored?: TableColumns<Row>;
  /**
   * Stores a batch in one statement. No two rows have one key, and they come in the order of their keys, so that two
   * batches cannot lock each other.
   */
  save(tx: Queryable, rows: readonly Row[]): Promise<void>;
}

/** Types of columns, as SQL names them. */
export type SqlType = "text" | "text[]" | "jsonb" | "boolean" | "smallint" | "integer" | "bigint";

/**
 * A table that has a column for each field of a kind's rows: `media_sha256` for `mediaSha256`. A test compares those of
 * the built-in kinds with the schema. The schema itself is for types and migrations only: a program that loads it takes
 * 350 MB instead of 105, measured after the import alone.
 */
export interface TableColumns<Row> {
  table: string;
  columns: Readonly<Record<keyof Row & string, SqlType>>;
}

/** For `satisfies`: what the table of the schema does not have, or has under another name, does not compile. */
export interface StoredIn<Table extends { $inferInsert: object; _: { name: string } }> {
  table: Table["_"]["name"];
  columns: Partial<Record<keyof Table["$inferInsert"], SqlType>>;
}

/** The name of a field's column. */
export function toColumn(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export interface RecordTableOptions {
  /** What becomes of a row whose key is stored already. Default: nothing, the first writer wins. */
  onConflict?: string;
}

/** Stores rows as they are, a column for each field. */
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
