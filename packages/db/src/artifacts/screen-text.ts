import { screenTextKind } from "@clipmill/domain";
import type { screenText } from "../schema/index.ts";
import { createArtifactTable } from "./artifact-table.ts";
import type { StoredIn } from "./record-table.ts";

const SCREEN_TEXT = {
  table: "screen_text",
  columns: {
    key: "text",
    imagesHash: "text",
    recipe: "text",
    hash: "text",
    engine: "text",
    lines: "text[]",
  },
} as const satisfies StoredIn<typeof screenText>;

export const screenTexts = createArtifactTable(screenTextKind, SCREEN_TEXT, {
  legacyColumn: "screen_text_key",
});
