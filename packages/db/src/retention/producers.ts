import type { StorageKey, StoredKind } from "@clipmill/domain";

/**
 * Which stage jobs made a stored file: `download` is keyed by post, `prepare-audio` by media and recipe. Each is a
 * `from` clause with the file's hash as `f.sha256`; a test holds them to the stages' own keys.
 */
const PRODUCERS: Record<StoredKind, string> = {
  media: `post_media made join stage_job j on j.stage = 'download' and j.key = made.post_id
    where made.media_sha256 = f.sha256`,
  audio: `prepared_audio made
      join stage_job j on j.stage = 'prepare-audio' and j.key = made.media_sha256 || '-' || made.recipe
    where made.audio_sha256 = f.sha256`,
};

/** Whether an open request rests on a job that made the file `f.sha256`. */
export function isNeeded(kind: StoredKind): string {
  return `exists (select 1 from ${PRODUCERS[kind]} and exists (
    select 1 from request_stage_job l join request r on r.id = l.request_id
    where l.stage_job_id = j.id and r.state = 'open'))`;
}

/** Selects the done jobs that made the file whose hash is `$1`, for update, in id order. */
export function lockProducers(kind: StoredKind): string {
  return `select j.id, j.queue from (select $1::text as sha256) f, lateral (
      select distinct j.id from ${PRODUCERS[kind]}) made_by
    join stage_job j on j.id = made_by.id
    where j.state = 'done'
    order by j.id
    for update of j`;
}

/** The table that knows the files of a kind, and its column of their hashes. */
export const FILE_TABLES: Record<StoredKind, { table: string; hash: string }> = {
  media: { table: "media", hash: "sha256" },
  audio: { table: "prepared_audio", hash: "audio_sha256" },
};

export function splitKey(key: StorageKey): { kind: StoredKind; sha256: string } {
  const [kind, sha256 = ""] = key.split("/");
  return { kind: kind === "audio" ? "audio" : "media", sha256 };
}
