import type { ArtifactKeys, Media, PostMedia } from "@clipmill/domain";
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
} from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

/** A post as it was last seen, and its current artifacts. */
export const post = pgTable("post", {
  postId: text("post_id").primaryKey(),
  url: text(),
  title: text().notNull(),
  authorUniqueId: text("author_unique_id"),
  authorNickname: text("author_nickname"),
  authorFollowerCount: bigint("author_follower_count", { mode: "number" }),
  musicId: text("music_id"),
  musicTitle: text("music_title"),
  musicAuthor: text("music_author"),
  musicOriginal: boolean("music_original"),
  region: text(),
  durationMs: integer("duration_ms").notNull(),
  postedAt: moment("posted_at"),
  source: text().notNull(),
  /** Keys of its current artifacts, by kind. */
  artifacts: jsonb().$type<ArtifactKeys>(),
  // The same, written by workers of 0.1. Read if `artifacts` has no key of that kind.
  transcriptKey: text("transcript_key"),
  screenTextKey: text("screen_text_key"),
  answerKey: text("answer_key"),
  seenAt: moment("seen_at").notNull().defaultNow(),
});

/** Counters over time; the result shows the latest row. */
export const engagement = pgTable(
  "engagement",
  {
    postId: text("post_id").notNull(),
    observedAt: moment("observed_at").notNull().defaultNow(),
    plays: bigint({ mode: "number" }),
    likes: bigint({ mode: "number" }),
    comments: bigint({ mode: "number" }),
    shares: bigint({ mode: "number" }),
  },
  (t) => [primaryKey({ columns: [t.postId, t.observedAt] })],
);

/** Stored files, by the hash of their bytes. */
export const media = pgTable(
  "media",
  {
    sha256: text().primaryKey(),
    kind: text().$type<Media["kind"]>().notNull(),
    bytes: bigint({ mode: "number" }).notNull(),
    durationMs: integer("duration_ms"),
    hasAudio: boolean("has_audio").notNull(),
    hasVideo: boolean("has_video").notNull(),
    storedAt: moment("stored_at").notNull().defaultNow(),
    /** When retention deleted the file; null while it is stored. The row stays, because transcripts refer to it. */
    removedAt: moment("removed_at"),
  },
  (t) => [
    // Includes the bytes, so that their sum is read from the index alone.
    index("media_present")
      .on(t.storedAt, t.sha256, t.bytes)
      .where(sql`removed_at is null`),
  ],
);

/** The media files of each post. */
export const postMedia = pgTable(
  "post_media",
  {
    postId: text("post_id").notNull(),
    role: text().$type<PostMedia["role"]>().notNull(),
    position: smallint().notNull(),
    mediaSha256: text("media_sha256").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.postId, t.role, t.position] }),
    index("post_media_by_media").on(t.mediaSha256),
  ],
);

export const preparedAudio = pgTable(
  "prepared_audio",
  {
    mediaSha256: text("media_sha256").notNull(),
    recipe: text().notNull(),
    audioSha256: text("audio_sha256").notNull(),
    bytes: bigint({ mode: "number" }).notNull(),
    durationMs: integer("duration_ms").notNull(),
    storedAt: moment("stored_at").notNull().defaultNow(),
    removedAt: moment("removed_at"),
  },
  (t) => [
    primaryKey({ columns: [t.mediaSha256, t.recipe] }),
    index("prepared_audio_by_file").on(t.audioSha256),
    index("prepared_audio_present")
      .on(t.storedAt, t.audioSha256, t.bytes)
      .where(sql`removed_at is null`),
  ],
);
