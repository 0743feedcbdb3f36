import type { z } from "zod";

/** A row that a stage wants stored. Made by `RecordKind.record`. */
export interface StageRecord<Row = unknown> {
  readonly kind: string;
  readonly row: Row;
}

/** The zod shape of a row. Its fields name the columns that the row is stored in. */
export type RowShape<Row> = z.ZodType<Row> & {
  readonly shape: Readonly<Record<keyof Row & string, unknown>>;
};

/** One kind of row that stages store. */
export interface RecordKind<Row = unknown> {
  /** As in SQL and JSON: `screen_text`. */
  readonly name: string;
  readonly shape: RowShape<Row>;
  /** Unique among the rows of this kind. The rows of one batch are stored in the order of their keys. */
  key(row: Row): string;
  /** Makes the record of a row, for the result of a stage that `produces` this kind. */
  record(row: Row): StageRecord<Row>;
}

/** The name is written into SQL unquoted, so it may hold only these characters. */
const NAME = /^[a-z][a-z0-9_]*$/;

export function defineRecord<Row>(kind: Omit<RecordKind<Row>, "record">): RecordKind<Row> {
  if (!NAME.test(kind.name))
    throw new Error(`${kind.name} is not a valid name for a kind of record`);
  return { ...kind, record: (row) => ({ kind: kind.name, row }) };
}
