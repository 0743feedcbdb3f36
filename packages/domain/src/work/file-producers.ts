import type { StoredKind } from "../ports/storage.ts";
import type { PostMedia, PreparedAudio } from "../post/media.ts";

/** The stage whose jobs make the stored files of a kind, and how a job's key follows from the row that names its file. */
export interface FileProducer<Field extends string = string> {
  stage: string;
  /** The fields of that row that the stage's key is made of, joined by `KEY_SEPARATOR`. */
  key: readonly Field[];
}

export const KEY_SEPARATOR = "-";

/** Who is asked to make a file again that is lost, and whose open requests keep a file from being deleted. */
export type FileProducers = Readonly<
  Record<StoredKind, FileProducer> & {
    media: FileProducer<keyof PostMedia>;
    audio: FileProducer<keyof PreparedAudio>;
  }
>;
