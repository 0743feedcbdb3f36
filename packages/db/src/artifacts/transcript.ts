import { transcriptKind } from "@clipmill/domain";
import type { transcript } from "../schema/index.ts";
import { createArtifactTable } from "./artifact-table.ts";
import type { StoredIn } from "./record-table.ts";

const TRANSCRIPT = {
  table: "transcript",
  columns: {
    key: "text",
    mediaSha256: "text",
    recipe: "text",
    hash: "text",
    engine: "text",
    origin: "text",
    language: "text",
    text: "text",
    segments: "jsonb",
    durationMs: "integer",
    verdict: "text",
  },
} as const satisfies StoredIn<typeof transcript>;

export const transcripts = createArtifactTable(transcriptKind, TRANSCRIPT, {
  legacyColumn: "transcript_key",
});
