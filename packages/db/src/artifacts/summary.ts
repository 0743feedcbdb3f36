import { summaryKind } from "@clipmill/domain";
import { ANSWERS } from "./answer.ts";
import { createArtifactTable } from "./artifact-table.ts";

export const summaries = createArtifactTable(summaryKind, ANSWERS, { legacyColumn: "answer_key" });
