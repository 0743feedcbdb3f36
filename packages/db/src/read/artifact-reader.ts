import type { ArtifactReader, Engagement, Post, ScreenText, Transcript } from "@clipmill/domain";
import type { Database } from "../database.ts";

interface PostRow extends Engagement {
  postId: string;
  url: string | null;
  title: string;
  uniqueId: string | null;
  nickname: string | null;
  followerCount: number | null;
  musicId: string | null;
  musicTitle: string | null;
  musicAuthor: string | null;
  musicOriginal: boolean | null;
  region: string | null;
  durationMs: number;
  postedAt: string | null;
  source: string;
}

/** What stages read of what earlier stages stored. */
export function createArtifactReader({ pool }: Pick<Database, "pool">): ArtifactReader {
  return {
    async findPost(postId) {
      const { rows } = await pool.query<PostRow>({
        name: "find_post",
        text: `select p.post_id as "postId", p.url, p.title, p.author_unique_id as "uniqueId", p.author_nickname as "nickname",
            p.author_follower_count as "followerCount", p.music_id as "musicId", p.music_title as "musicTitle",
            p.music_author as "musicAuthor", p.music_original as "musicOriginal", p.region,
            p.duration_ms as "durationMs", p.posted_at::text as "postedAt", p.source,
            e.plays, e.likes, e.comments, e.shares
          from post p left join lateral (
            select * from engagement where post_id = p.post_id order by observed_at desc limit 1) e on true
          where p.post_id = $1`,
        values: [postId],
      });
      const row = rows[0];
      return row === undefined ? null : { post: toPost(row), engagement: toEngagement(row) };
    },

    async findTranscript(key) {
      const { rows } = await pool.query<Transcript>({
        name: "find_transcript",
        text: `select key, media_sha256 as "mediaSha256", recipe, hash, engine, origin, language, text, segments,
            duration_ms as "durationMs", verdict
          from transcript where key = $1`,
        values: [key],
      });
      return rows[0] ?? null;
    },

    async findScreenText(key) {
      const { rows } = await pool.query<ScreenText>({
        name: "find_screen_text",
        text: `select key, images_hash as "imagesHash", recipe, hash, engine, lines from screen_text where key = $1`,
        values: [key],
      });
      return rows[0] ?? null;
    },
  };
}

function toPost(row: PostRow): Post {
  return {
    postId: row.postId,
    url: row.url,
    title: row.title,
    author: { uniqueId: row.uniqueId, nickname: row.nickname, followerCount: row.followerCount },
    music:
      row.musicTitle === null
        ? null
        : {
            id: row.musicId,
            title: row.musicTitle,
            author: row.musicAuthor ?? "",
            original: row.musicOriginal,
          },
    region: row.region,
    durationMs: row.durationMs,
    postedAt: row.postedAt,
    source: row.source,
  };
}

function toEngagement({ plays, likes, comments, shares }: Engagement): Engagement {
  return { plays, likes, comments, shares };
}
