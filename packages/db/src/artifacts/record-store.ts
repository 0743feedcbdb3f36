import type { StageRecord } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import type { RecordTable } from "./record-table.ts";

/** Stores the records that stages returned, one statement for each kind. */
export interface RecordStore {
  /** Throws for a record whose kind has no table here. A worker checks the kinds of its stages when it starts. */
  save(tx: Queryable, records: readonly StageRecord[]): Promise<void>;
}

/** Every batch writes the tables in the order of the list, so that two batches cannot deadlock. */
export function createRecordStore(tables: readonly RecordTable[]): RecordStore {
  const names = new Set(tables.map(({ kind }) => kind.name));
  if (names.size < tables.length) throw new Error("two tables store the same kind of record");
  return {
    async save(tx, records) {
      if (records.length === 0) return;
      const rowsByKind = Map.groupBy(records, ({ kind }) => kind);
      for (const kind of rowsByKind.keys())
        if (!names.has(kind)) throw new Error(`records of the kind ${kind} have no table`);
      for (const { kind, save } of tables) {
        const found = rowsByKind.get(kind.name);
        if (found !== undefined) await save(tx, toBatch(found, kind.key));
      }
    },
  };
}

/** Sorted by key. Of two rows with one key only the last: Postgres refuses to update a row twice in one statement. */
function toBatch(records: readonly StageRecord[], toKey: (row: unknown) => string): unknown[] {
  const byKey = new Map(records.map(({ row }) => [toKey(row), row]));
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
