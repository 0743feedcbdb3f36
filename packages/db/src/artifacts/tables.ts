import type { ArtifactTable } from "./artifact-table.ts";
import { audioFiles } from "./audio.ts";
import { mediaFiles, postMediaLinks } from "./media.ts";
import { posts } from "./post.ts";
import type { RecordTable } from "./record-table.ts";
import { screenTexts } from "./screen-text.ts";
import { summaries } from "./summary.ts";
import { transcripts } from "./transcript.ts";

/** The tables of all kinds of artifact, in the order in which results list their engines. */
export const ARTIFACT_TABLES: readonly ArtifactTable[] = [transcripts, screenTexts, summaries];

/** The tables of all kinds of record, in the order in which a batch stores them. */
export const RECORD_TABLES: readonly RecordTable[] = [
  posts,
  mediaFiles,
  postMediaLinks,
  audioFiles,
  ...ARTIFACT_TABLES,
];
