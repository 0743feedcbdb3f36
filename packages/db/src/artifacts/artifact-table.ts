import type { ArtifactKind, ArtifactRow } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import {
  createRecordTable,
  type RecordTable,
  type TableColumns,
  toColumn,
} from "./record-table.ts";

/** Where artifacts of one kind are stored, and how they are read. */
export interface ArtifactTable<Row extends ArtifactRow = ArtifactRow> extends RecordTable<Row> {
  readonly kind: ArtifactKind<Row>;
  readonly stored: TableColumns<Row>;
  /**
   * The column of `post` and `request` where programs of 0.1 stored its key. It is read if `artifacts` has no key of
   * this kind. Null for kinds that 0.1 did not have.
   */
  readonly legacyColumn: LegacyColumn | null;
  find(tx: Queryable, key: string): Promise<Row | null>;
}

export type LegacyColumn = "transcript_key" | "screen_text_key" | "answer_key";

/** The table's primary key is the column `key`. */
export function createArtifactTable<Row extends ArtifactRow>(
  kind: ArtifactKind<Row>,
  stored: TableColumns<Row>,
  { legacyColumn = null }: { legacyColumn?: LegacyColumn | null } = {},
): ArtifactTable<Row> {
  const fields = Object.keys(stored.columns);
  const list = fields.map((field) => `${toColumn(field)} as "${field}"`).join(", ");
  const text = `select ${list} from ${stored.table} where key = $1`;
  return {
    ...createRecordTable(kind, stored),
    kind,
    stored,
    legacyColumn,
    async find(tx, key) {
      const { rows } = await tx.query<Row>({ name: `find_${kind.name}`, text, values: [key] });
      return rows[0] ?? null;
    },
  };
}
