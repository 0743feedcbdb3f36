import type { StageRecord } from "@clipmill/domain";
import type { Queryable } from "../database.ts";

type Of<K extends StageRecord["kind"]> = Extract<StageRecord, { kind: K }>;

/**
 * Stores what stages returned, one statement per kind. Artifacts never change: the first writer of a key wins, and
 * a second run of a stage writes nothing new, except that it brought back a file that had been deleted. Rows go in
 * key order, so that two batches cannot lock each other.
 */
export interface RecordStore {
  save(tx: Queryable, records: readonly StageRecord[]): Promise<void>;
}

export const recordStore: RecordStore = { save: saveRecords };

export async function saveRecords(tx: Queryable, records: readonly StageRecord[]): Promise<void> {
  const of = <K extends StageRecord["kind"]>(kind: K) =>
    records.filter((record): record is Of<K> => record.kind === kind);
  await savePosts(tx, of("post"));
  await saveMedia(tx, of("media"));
  await saveAudio(tx, of("audio"));
  await saveTranscripts(tx, of("transcript"));
  await saveScreenTexts(tx, of("screenText"));
  await saveAnswers(tx, of("answer"));
}

function sorted<T>(rows: readonly T[], key: (row: T) => string): T[] {
  // The last of a key wins where one batch holds it twice; Postgres refuses to touch a row twice in one statement.
  const byKey = new Map(rows.map((row) => [key(row), row]));
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

async function savePosts(tx: Queryable, records: readonly Of<"post">[]): Promise<void> {
  if (records.length === 0) return;
  const rows = sorted(records, (record) => record.post.postId).map(({ post, engagement }) => ({
    post_id: post.postId,
    url: post.url,
    title: post.title,
    author_unique_id: post.author.uniqueId,
    author_nickname: post.author.nickname,
    author_follower_count: post.author.followerCount,
    music_id: post.music?.id ?? null,
    music_title: post.music?.title ?? null,
    music_author: post.music?.author ?? null,
    music_original: post.music?.original ?? null,
    region: post.region,
    duration_ms: post.durationMs,
    posted_at: post.postedAt,
    source: post.source,
    ...engagement,
  }));
  await tx.query({
    name: "save_posts",
    text: `with seen as (
        select * from jsonb_to_recordset($1::jsonb) as p (post_id text, url text, title text, author_unique_id text,
          author_nickname text, author_follower_count bigint, music_id text, music_title text, music_author text,
          music_original boolean, region text, duration_ms integer, posted_at timestamptz, source text,
          plays bigint, likes bigint, comments bigint, shares bigint)),
      observed as (
        insert into engagement (post_id, plays, likes, comments, shares)
        select post_id, plays, likes, comments, shares from seen
        on conflict (post_id, observed_at) do nothing)
      insert into post (post_id, url, title, author_unique_id, author_nickname, author_follower_count, music_id,
        music_title, music_author, music_original, region, duration_ms, posted_at, source)
      select post_id, url, title, author_unique_id, author_nickname, author_follower_count, music_id,
        music_title, music_author, music_original, region, duration_ms, posted_at, source
      from seen order by post_id
      on conflict (post_id) do update set url = excluded.url, title = excluded.title,
        author_unique_id = excluded.author_unique_id, author_nickname = excluded.author_nickname,
        author_follower_count = excluded.author_follower_count, music_id = excluded.music_id,
        music_title = excluded.music_title, music_author = excluded.music_author,
        music_original = excluded.music_original, region = excluded.region, duration_ms = excluded.duration_ms,
        posted_at = excluded.posted_at, source = excluded.source, seen_at = now()`,
    values: [JSON.stringify(rows)],
  });
}

async function saveMedia(tx: Queryable, records: readonly Of<"media">[]): Promise<void> {
  if (records.length === 0) return;
  const media = sorted(
    records.map((record) => record.media),
    (row) => row.sha256,
  );
  await tx.query({
    name: "save_media",
    text: `insert into media (sha256, kind, bytes, duration_ms, has_audio, has_video)
      select * from unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::boolean[], $6::boolean[])
      on conflict (sha256) do update set removed_at = null, stored_at = now() where media.removed_at is not null`,
    values: [
      media.map((m) => m.sha256),
      media.map((m) => m.kind),
      media.map((m) => m.bytes),
      media.map((m) => m.durationMs),
      media.map((m) => m.hasAudio),
      media.map((m) => m.hasVideo),
    ],
  });
  const links = sorted(
    records.flatMap((record) => record.links),
    (l) => `${l.postId} ${l.role} ${l.position}`,
  );
  await tx.query({
    name: "save_post_media",
    text: `insert into post_media (post_id, role, position, media_sha256)
      select * from unnest($1::text[], $2::text[], $3::smallint[], $4::text[])
      on conflict (post_id, role, position) do update set media_sha256 = excluded.media_sha256`,
    values: [
      links.map((l) => l.postId),
      links.map((l) => l.role),
      links.map((l) => l.position),
      links.map((l) => l.mediaSha256),
    ],
  });
}

async function saveAudio(tx: Queryable, records: readonly Of<"audio">[]): Promise<void> {
  if (records.length === 0) return;
  const rows = sorted(
    records.map((record) => record.audio),
    (a) => `${a.mediaSha256} ${a.recipe}`,
  );
  await tx.query({
    name: "save_audio",
    text: `insert into prepared_audio (media_sha256, recipe, audio_sha256, bytes, duration_ms)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::integer[])
      on conflict (media_sha256, recipe) do update set removed_at = null, stored_at = now(),
        audio_sha256 = excluded.audio_sha256, bytes = excluded.bytes
      where prepared_audio.removed_at is not null`,
    values: [
      rows.map((a) => a.mediaSha256),
      rows.map((a) => a.recipe),
      rows.map((a) => a.audioSha256),
      rows.map((a) => a.bytes),
      rows.map((a) => a.durationMs),
    ],
  });
}

async function saveTranscripts(tx: Queryable, records: readonly Of<"transcript">[]): Promise<void> {
  if (records.length === 0) return;
  const rows = sorted(
    records.map((record) => record.transcript),
    (t) => t.key,
  ).map((t) => ({
    key: t.key,
    media_sha256: t.mediaSha256,
    recipe: t.recipe,
    hash: t.hash,
    engine: t.engine,
    origin: t.origin,
    language: t.language,
    text: t.text,
    segments: t.segments,
    duration_ms: t.durationMs,
    verdict: t.verdict,
  }));
  await tx.query({
    name: "save_transcripts",
    text: `insert into transcript (key, media_sha256, recipe, hash, engine, origin, language, text, segments, duration_ms, verdict)
      select * from jsonb_to_recordset($1::jsonb) as t (key text, media_sha256 text, recipe text, hash text, engine text,
        origin text, language text, text text, segments jsonb, duration_ms integer, verdict text)
      on conflict (key) do nothing`,
    values: [JSON.stringify(rows)],
  });
}

async function saveScreenTexts(tx: Queryable, records: readonly Of<"screenText">[]): Promise<void> {
  if (records.length === 0) return;
  const rows = sorted(
    records.map((record) => record.screenText),
    (s) => s.key,
  ).map((s) => ({
    key: s.key,
    images_hash: s.imagesHash,
    recipe: s.recipe,
    hash: s.hash,
    engine: s.engine,
    lines: s.lines,
  }));
  await tx.query({
    name: "save_screen_texts",
    text: `insert into screen_text (key, images_hash, recipe, hash, engine, lines)
      select * from jsonb_to_recordset($1::jsonb) as s (key text, images_hash text, recipe text, hash text, engine text, lines text[])
      on conflict (key) do nothing`,
    values: [JSON.stringify(rows)],
  });
}

async function saveAnswers(tx: Queryable, records: readonly Of<"answer">[]): Promise<void> {
  if (records.length === 0) return;
  const rows = sorted(
    records.map((record) => record.answer),
    (a) => a.key,
  ).map((a) => ({
    key: a.key,
    post_id: a.postId,
    kind: a.kind,
    transcript_hash: a.transcriptHash,
    evidence_hash: a.evidenceHash,
    prompt_version: a.promptVersion,
    recipe: a.recipe,
    engine: a.engine,
    sources: a.sources,
    body: a.body,
  }));
  await tx.query({
    name: "save_answers",
    text: `insert into answer (key, post_id, kind, transcript_hash, evidence_hash, prompt_version, recipe, engine, sources, body)
      select * from jsonb_to_recordset($1::jsonb) as a (key text, post_id text, kind text, transcript_hash text,
        evidence_hash text, prompt_version text, recipe text, engine text, sources text[], body jsonb)
      on conflict (key) do nothing`,
    values: [JSON.stringify(rows)],
  });
}
