import type { ArtifactTable } from "./artifact-table.ts";
import { audioFiles } from "./audio.ts";
import { mediaFiles, postMediaLinks } from "./media.ts";
import { posts } from "./post.ts";
import type { RecordTable } from "./record-table.ts";
import { screenTexts } from "./screen-text.ts";
import { summaries } from "./summary.ts";
import { transcripts } from "./transcript.ts";

/** Where the artifacts of each kind are stored, in the order in which their engines are listed. */
export const ARTIFACT_TABLES: readonly ArtifactTable[] = [transcripts, screenTexts, summaries];

/** Where everything that stages store is, in the order in which a batch is stored. */
export const RECORD_TABLES: readonly RecordTable[] = [
  posts,
  mediaFiles,
  postMediaLinks,
  audioFiles,
  ...ARTIFACT_TABLES,
];
