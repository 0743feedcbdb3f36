import type { EvidenceSource, Transcript } from "@clipmill/domain";
import { index, integer, jsonb, pgTable, text, timestamp } from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

export const transcript = pgTable(
  "transcript",
  {
    key: text().primaryKey(),
    mediaSha256: text("media_sha256").notNull(),
    recipe: text().notNull(),
    hash: text().notNull(),
    engine: text().notNull(),
    origin: text().$type<Transcript["origin"]>().notNull(),
    language: text(),
    text: text().notNull(),
    segments: jsonb().$type<Transcript["segments"]>().notNull(),
    durationMs: integer("duration_ms").notNull(),
    verdict: text().$type<Transcript["verdict"]>().notNull(),
    storedAt: moment("stored_at").notNull().defaultNow(),
  },
  (t) => [index("transcript_by_media").on(t.mediaSha256)],
);

export const screenText = pgTable("screen_text", {
  key: text().primaryKey(),
  imagesHash: text("images_hash").notNull(),
  recipe: text().notNull(),
  hash: text().notNull(),
  engine: text().notNull(),
  lines: text().array().notNull(),
  storedAt: moment("stored_at").notNull().defaultNow(),
});

export const answer = pgTable(
  "answer",
  {
    key: text().primaryKey(),
    postId: text("post_id").notNull(),
    kind: text().notNull(),
    transcriptHash: text("transcript_hash"),
    evidenceHash: text("evidence_hash").notNull(),
    promptVersion: text("prompt_version").notNull(),
    recipe: text().notNull(),
    engine: text().notNull(),
    sources: text().array().$type<EvidenceSource[]>().notNull(),
    body: jsonb().notNull(),
    storedAt: moment("stored_at").notNull().defaultNow(),
  },
  (t) => [index("answer_by_post").on(t.postId)],
);
