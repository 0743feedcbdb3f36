import type { z } from "zod";

/** A row that a stage wants stored; its kind makes it. */
export interface StageRecord<Row = unknown> {
  readonly kind: string;
  readonly row: Row;
}

/** The shape of a row, field by field: its fields name the columns that it is stored in. */
export type RowShape<Row> = z.ZodType<Row> & {
  readonly shape: Readonly<Record<keyof Row & string, unknown>>;
};

/** A kind of row that stages store. */
export interface RecordKind<Row = unknown> {
  /** As in SQL and JSON: `screen_text`. */
  readonly name: string;
  readonly shape: RowShape<Row>;
  /** What tells its rows apart. The rows of one batch are stored in the order of their keys. */
  key(row: Row): string;
  /** For the result of a stage that `produces` the kind. */
  record(row: Row): StageRecord<Row>;
}

/** Names become names in SQL, so nothing but these letters is let in. */
const NAME = /^[a-z][a-z0-9_]*$/;

export function defineRecord<Row>(kind: Omit<RecordKind<Row>, "record">): RecordKind<Row> {
  if (!NAME.test(kind.name)) throw new Error(`${kind.name} is no name of a kind of record`);
  return { ...kind, record: (row) => ({ kind: kind.name, row }) };
}
