import {
  type FileProducer,
  type FileProducers,
  KEY_SEPARATOR,
  type StorageKey,
  type StoredKind,
} from "@clipmill/domain";
import { toColumn } from "../artifacts/record-table.ts";

/** The rows that name the files of a kind, and of which the keys of the jobs that made them follow. */
const MADE: Record<StoredKind, FileTable> = {
  media: { table: "post_media", hash: "media_sha256" },
  audio: { table: "prepared_audio", hash: "audio_sha256" },
};

/** The table that knows the files of a kind. */
export const FILE_TABLES: Record<StoredKind, FileTable> = {
  media: { table: "media", hash: "sha256" },
  audio: { table: "prepared_audio", hash: "audio_sha256" },
};

interface FileTable {
  table: string;
  /** The column of the file's hash. */
  hash: string;
}

/** SQL that finds the jobs which made a stored file. It names the stage by the given parameter. */
export interface ProducerQuery {
  /** Of the stage's parameter. */
  stage: string;
  /** Whether an open request rests on a job that made the file `f.sha256`. */
  isNeeded(stageParameter: string): string;
  /** Selects the done jobs that made the file whose hash is `$1`, for update, in id order; the stage is `$2`. */
  lock: string;
}

export function createProducerQuery(kind: StoredKind, producers: FileProducers): ProducerQuery {
  const producer: FileProducer = producers[kind];
  const from = (stageParameter: string) => toFrom(MADE[kind], producer, stageParameter);
  return {
    stage: producer.stage,
    isNeeded: (stageParameter) => `exists (select 1 from ${from(stageParameter)} and exists (
      select 1 from request_stage_job l join request r on r.id = l.request_id
      where l.stage_job_id = j.id and r.state = 'open'))`,
    lock: `select j.id, j.queue from (select $1::text as sha256) f, lateral (
        select distinct j.id from ${from("$2")}) made_by
      join stage_job j on j.id = made_by.id
      where j.state = 'done'
      order by j.id
      for update of j`,
  };
}

/** A `from` clause with the job as `j`, given the file's hash as `f.sha256`. */
function toFrom({ table, hash }: FileTable, { key }: FileProducer, stageParameter: string): string {
  const parts = key.map((field) => `made.${toColumn(field)}`);
  return `${table} made
    join stage_job j on j.stage = ${stageParameter}::text and j.key = ${parts.join(` || '${KEY_SEPARATOR}' || `)}
    where made.${hash} = f.sha256`;
}

export function splitKey(key: StorageKey): { kind: StoredKind; sha256: string } {
  const [kind, sha256 = ""] = key.split("/");
  return { kind: kind === "audio" ? "audio" : "media", sha256 };
}
