import {
  type FileProducer,
  type FileProducers,
  KEY_SEPARATOR,
  type StorageKey,
  type StoredKind,
} from "@clipmill/domain";
import { toColumn } from "../artifacts/record-table.ts";

/** The table from whose rows the keys of the jobs that made a kind of file are built. */
const MADE: Record<StoredKind, FileTable> = {
  media: { table: "post_media", hash: "media_sha256" },
  audio: { table: "prepared_audio", hash: "audio_sha256" },
};

/** The table with a row for each stored file of a kind. */
export const FILE_TABLES: Record<StoredKind, FileTable> = {
  media: { table: "media", hash: "sha256" },
  audio: { table: "prepared_audio", hash: "audio_sha256" },
};

interface FileTable {
  table: string;
  /** The column of the file's hash. */
  hash: string;
}

/** SQL that finds the jobs which made a stored file. */
export interface ProducerQuery {
  /** The stage's name: the value of the parameter below. */
  stage: string;
  /** Condition: an open request needs a job that made the file `f.sha256`. `stageParameter` is such as `$4`. */
  isNeeded(stageParameter: string): string;
  /** Locks the done jobs of stage `$2` that made the file with hash `$1`, in id order. */
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

/** A `from` clause in which `j` is the job that made the file `f.sha256`. */
function toFrom(
  { table, hash }: FileTable,
  { key, suffixes = [""] }: FileProducer,
  stageParameter: string,
): string {
  const parts = key.map((field) => `made.${toColumn(field)}`);
  const fields = parts.join(` || '${KEY_SEPARATOR}' || `);
  const keys = suffixes.map((suffix) => (suffix === "" ? fields : `${fields} || '${suffix}'`));
  return `${table} made
    join stage_job j on j.stage = ${stageParameter}::text and j.key = any (array[${keys.join(", ")}])
    where made.${hash} = f.sha256`;
}

export function splitKey(key: StorageKey): { kind: StoredKind; sha256: string } {
  const [kind, sha256 = ""] = key.split("/");
  return { kind: kind === "audio" ? "audio" : "media", sha256 };
}
