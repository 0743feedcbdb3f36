import type { z } from "zod";
import { audioKind, mediaKind, postMediaKind } from "../post/media.ts";
import { postKind } from "../post/post.ts";
import type { ArtifactKind } from "./kind.ts";
import { screenTextKind } from "./screen-text.ts";
import { summaryKind } from "./summary.ts";
import { transcriptKind } from "./transcript.ts";

/** The registry of artifacts: engines are listed in this order, and results are made of all of them. */
export const ARTIFACT_KINDS: readonly ArtifactKind[] = [
  transcriptKind,
  screenTextKind,
  summaryKind,
];

/** Everything that a stage may store. */
export const RECORD_KINDS = [
  postKind,
  mediaKind,
  postMediaKind,
  audioKind,
  ...ARTIFACT_KINDS,
] as const;

/** What the kinds add to the public result. */
export const ARTIFACT_FIELDS = {
  ...transcriptKind.result.fields,
  ...screenTextKind.result.fields,
  ...summaryKind.result.fields,
};
export type ArtifactFields = z.output<z.ZodObject<typeof ARTIFACT_FIELDS>>;
