import type { answer } from "../schema/index.ts";
import type { StoredIn } from "./record-table.ts";

/** The table of all kinds of answers; the column `kind` says which. */
export const ANSWERS = {
  table: "answer",
  columns: {
    key: "text",
    postId: "text",
    kind: "text",
    transcriptHash: "text",
    evidenceHash: "text",
    promptVersion: "text",
    recipe: "text",
    engine: "text",
    sources: "text[]",
    body: "jsonb",
  },
} as const satisfies StoredIn<typeof answer>;
