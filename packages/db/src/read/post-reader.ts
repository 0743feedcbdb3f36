import type { PostResult } from "@clipmill/domain";
import { ASKED, createBatchedFind } from "./batched-find.ts";
import type { Database } from "../database.ts";
import { type ArtifactRow, READ_SHARE, selectArtifacts, toPostResult } from "./results.ts";

export interface StoredPost {
  /** Another text after any change of what the result is made of; says nothing else. */
  version: string;
  /** As a read that costs nothing. */
  result: PostResult;
}

export interface PostReader {
  /** What is stored about a post now; null where nothing is. */
  find(postId: string): Promise<StoredPost | null>;
  /** The version alone: a small part of what reading the post costs. */
  findVersion(postId: string): Promise<string | null>;
}

const { columns, version, joins } = selectArtifacts({
  transcript: "coalesce(p.artifacts ->> 'transcript', p.transcript_key)",
  screenText: "coalesce(p.artifacts ->> 'screen_text', p.screen_text_key)",
  answer: "coalesce(p.artifacts ->> 'summary', p.answer_key)",
});
const FROM = `from ${ASKED} join post p on p.post_id = any (array[asked.id]) ${joins}`;
const FIND_POSTS = `select p.post_id as "postId", ${version} as version, ${columns} ${FROM}`;
const FIND_VERSIONS = `select p.post_id as "postId", ${version} as version ${FROM}`;

interface VersionRow {
  postId: string;
  version: string;
}

export function createPostReader({ pool }: Pick<Database, "pool">): PostReader {
  function createFind<Row extends VersionRow>(name: string, text: string) {
    return createBatchedFind(async (ids) => {
      const { rows } = await pool.query<Row>({ name, text, values: [ids] });
      return new Map(rows.map((row) => [row.postId, row]));
    });
  }
  const findRow = createFind<ArtifactRow & VersionRow>("find_posts", FIND_POSTS);
  const findVersionRow = createFind<VersionRow>("find_post_versions", FIND_VERSIONS);

  return {
    async find(postId) {
      const row = await findRow(postId);
      if (row === undefined) return null;
      return { version: row.version, result: toPostResult(row, READ_SHARE) };
    },
    async findVersion(postId) {
      return (await findVersionRow(postId))?.version ?? null;
    },
  };
}
