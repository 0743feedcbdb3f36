import type { StoredKind } from "../ports/storage.ts";
import type { PostMedia, PreparedAudio } from "../post/media.ts";

/**
 * The stage whose jobs make the stored files of a kind, and how to get a job's key from the row that names its file.
 */
export interface FileProducer<Field extends string = string> {
  stage: string;
  /** Fields of that row. Joined by `KEY_SEPARATOR`, they are the job's key. */
  key: readonly Field[];
  /** What may follow these fields in the key. Default: nothing. */
  suffixes?: readonly string[];
}

export const KEY_SEPARATOR = "-";

/** Whose jobs run again when a file is lost. A file stays as long as an open request needs the job that made it. */
export type FileProducers = Readonly<
  Record<StoredKind, FileProducer> & {
    media: FileProducer<keyof PostMedia>;
    audio: FileProducer<keyof PreparedAudio>;
  }
>;
