import type { ArtifactKind, ArtifactReader, ArtifactRow } from "@clipmill/domain";
import type { ArtifactTable } from "../artifacts/artifact-table.ts";
import { FIND_POST, type PostRow, toSeenPost } from "../artifacts/post.ts";
import { ARTIFACT_TABLES } from "../artifacts/tables.ts";
import type { Database } from "../database.ts";

/** Reads what earlier stages stored. `tables`: those of the kinds that can be found; default: the built-in ones. */
export function createArtifactReader(
  { pool }: Pick<Database, "pool">,
  { tables = ARTIFACT_TABLES }: { tables?: readonly ArtifactTable[] } = {},
): ArtifactReader {
  const byKind = new Map(tables.map((table) => [table.kind.name, table]));
  return {
    async findPost(postId) {
      const statement = { name: "find_post", text: FIND_POST, values: [postId] };
      const { rows } = await pool.query<PostRow>(statement);
      return rows[0] === undefined ? null : toSeenPost(rows[0]);
    },
    async find<Row extends ArtifactRow>({ name }: ArtifactKind<Row>, key: string) {
      const table = byKind.get(name);
      if (table === undefined) throw new Error(`artifacts of the kind ${name} have no table`);
      // The cast is safe: rows of another shape are never stored.
      return (await table.find(pool, key)) as Row | null;
    },
  };
}
