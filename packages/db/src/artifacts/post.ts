import { type Engagement, type Post, postKind, type SeenPost } from "@clipmill/domain";
import type { engagement as engagementTable, post as postTable } from "../schema/index.ts";
import type { RecordTable } from "./record-table.ts";

/** One observation of a post, for two tables: `post` keeps the latest, `engagement` keeps every one. */
export type PostRow = Omit<typeof postTable.$inferSelect, "artifacts" | "seenAt" | LegacyKey> &
  Omit<typeof engagementTable.$inferSelect, "postId" | "observedAt">;
type LegacyKey = "transcriptKey" | "screenTextKey" | "answerKey";

export const posts: RecordTable<SeenPost> = {
  kind: postKind,
  async save(tx, rows) {
    await tx.query({ name: "save_post", text: SAVE, values: [JSON.stringify(rows.map(toRow))] });
  },
};

const SAVE = `with
  -- The observed posts, a row each.
  seen as (
    select * from jsonb_to_recordset($1::jsonb) as p ("postId" text, url text, title text, "authorUniqueId" text,
      "authorNickname" text, "authorFollowerCount" bigint, "musicId" text, "musicTitle" text, "musicAuthor" text,
      "musicOriginal" boolean, region text, "durationMs" integer, "postedAt" timestamptz, source text,
      plays bigint, likes bigint, comments bigint, shares bigint)),
  -- Adds the counters as they are now; earlier ones stay.
  observed as (
    insert into engagement (post_id, plays, likes, comments, shares)
    select "postId", plays, likes, comments, shares from seen
    on conflict (post_id, observed_at) do nothing)
  insert into post (post_id, url, title, author_unique_id, author_nickname, author_follower_count, music_id,
    music_title, music_author, music_original, region, duration_ms, posted_at, source)
  select "postId", url, title, "authorUniqueId", "authorNickname", "authorFollowerCount", "musicId",
    "musicTitle", "musicAuthor", "musicOriginal", region, "durationMs", "postedAt", source
  from seen order by "postId"
  on conflict (post_id) do update set url = excluded.url, title = excluded.title,
    author_unique_id = excluded.author_unique_id, author_nickname = excluded.author_nickname,
    author_follower_count = excluded.author_follower_count, music_id = excluded.music_id,
    music_title = excluded.music_title, music_author = excluded.music_author,
    music_original = excluded.music_original, region = excluded.region, duration_ms = excluded.duration_ms,
    posted_at = excluded.posted_at, source = excluded.source, seen_at = now()`;

function toRow({ post, engagement }: SeenPost): PostRow {
  const { author, music, ...rest } = post;
  return {
    ...rest,
    authorUniqueId: author.uniqueId,
    authorNickname: author.nickname,
    authorFollowerCount: author.followerCount,
    musicId: music?.id ?? null,
    musicTitle: music?.title ?? null,
    musicAuthor: music?.author ?? null,
    musicOriginal: music?.original ?? null,
    ...engagement,
  };
}

/** Selects the post with id `$1` and its latest counters. */
export const FIND_POST = `select p.post_id as "postId", p.url, p.title, p.author_unique_id as "authorUniqueId",
    p.author_nickname as "authorNickname", p.author_follower_count as "authorFollowerCount", p.music_id as "musicId",
    p.music_title as "musicTitle", p.music_author as "musicAuthor", p.music_original as "musicOriginal", p.region,
    p.duration_ms as "durationMs", p.posted_at::text as "postedAt", p.source, e.plays, e.likes, e.comments, e.shares
  from post p left join lateral (
    select * from engagement where post_id = p.post_id order by observed_at desc limit 1) e on true
  where p.post_id = $1`;

export function toSeenPost(row: PostRow): SeenPost {
  const { plays, likes, comments, shares } = row;
  const engagement: Engagement = { plays, likes, comments, shares };
  return { post: toPost(row), engagement };
}

function toPost(row: PostRow): Post {
  const { postId, url, title, region, durationMs, postedAt, source } = row;
  const author = {
    uniqueId: row.authorUniqueId,
    nickname: row.authorNickname,
    followerCount: row.authorFollowerCount,
  };
  const music =
    row.musicTitle === null
      ? null
      : {
          id: row.musicId,
          title: row.musicTitle,
          author: row.musicAuthor ?? "",
          original: row.musicOriginal,
        };
  return { postId, url, title, author, music, region, durationMs, postedAt, source };
}
