import type { PostResult } from "@clipmill/domain";
import type { ArtifactTable } from "../artifacts/artifact-table.ts";
import { ARTIFACT_TABLES } from "../artifacts/tables.ts";
import { ASKED, createBatchedFind, READ } from "./batched-find.ts";
import type { Database } from "../database.ts";
import { createResultQuery, READ_SHARE, type ResultRow } from "./results.ts";

export interface StoredPost {
  /** Changes with any change of what the result is made of. Means nothing else. */
  version: string;
  /** The result of a read that ran no stage: it is cached and has no cost. */
  result: PostResult;
}

export interface PostReader {
  /** What is stored about a post now; null if nothing is. */
  find(postId: string): Promise<StoredPost | null>;
  /** Only the version, which is far cheaper to read than the post. */
  findVersion(postId: string): Promise<string | null>;
}

interface VersionRow {
  postId: string;
  version: string;
}

/** `tables`: those of the artifacts that results are made of; default: the built-in ones. */
export function createPostReader(
  { pool }: Pick<Database, "pool">,
  { tables = ARTIFACT_TABLES }: { tables?: readonly ArtifactTable[] } = {},
): PostReader {
  const { columns, version, joins, toResult } = createResultQuery("p", tables);
  const from = `from ${ASKED} join post p on p.post_id = any (array[asked.id]) ${joins}`;
  const findPosts = `select p.post_id as "postId", ${version} as version, ${columns} ${from}`;
  const findVersions = `select p.post_id as "postId", ${version} as version ${from}`;

  function createFind<Row extends VersionRow>(name: string, text: string) {
    return createBatchedFind(async (ids) => {
      const { rows } = await pool.query<Row>({ ...READ, name, text, values: [ids] });
      return new Map(rows.map((row) => [row.postId, row]));
    });
  }
  const findRow = createFind<ResultRow & VersionRow>("find_posts", findPosts);
  const findVersionRow = createFind<VersionRow>("find_post_versions", findVersions);

  return {
    async find(postId) {
      const row = await findRow(postId);
      if (row === undefined) return null;
      return { version: row.version, result: toResult(row, READ_SHARE) };
    },
    async findVersion(postId) {
      return (await findVersionRow(postId))?.version ?? null;
    },
  };
}
