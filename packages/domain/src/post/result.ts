import { z } from "zod";
import { ARTIFACT_FIELDS } from "../artifacts/kinds.ts";
import { isErrorCode } from "../errors/error-codes.ts";
import type { REQUEST_STATES } from "../work/request.ts";
import type { WaitingFor } from "../work/waiting-for.ts";
import { Models } from "./models.ts";

/** Dollars, by stage. */
export const Cost = z.object({ usd: z.number(), by_stage: z.record(z.string(), z.number()) });
export type Cost = z.infer<typeof Cost>;

const { language, sources, ...PARTS } = ARTIFACT_FIELDS;

/**
 * The one public shape of a processed post: the same from the CLI, the API and the demo. It is composed on read:
 * `engagement` is the latest observation; `cached`, `cost` and `timings_ms` belong to the request that asks; what is made
 * of artifacts comes from their kinds.
 */
export const PostResult = z.object({
  /** Null for a local file that brings no id. */
  aweme_id: z.string().nullable(),
  url: z.string().nullable(),
  author: z.string().nullable().describe("the creator's unique_id"),
  author_url: z.string().nullable(),
  attribution: z.string().describe("credits the creator; show it wherever their words are shown"),
  language,
  duration: z.number().describe("seconds"),
  ...PARTS,
  engagement: z.object({
    plays: z.number().nullable(),
    likes: z.number().nullable(),
    comments: z.number().nullable(),
    shares: z.number().nullable(),
  }),
  sources,
  models: Models,
  cost: Cost,
  timings_ms: z.record(z.string(), z.number()),
  cached: z.boolean(),
  simulated: z.array(z.string()).describe("stages whose output or cost is not real"),
  warnings: z.array(z.object({ stage: z.string(), code: z.string(), message: z.string() })),
});
export type PostResult = z.infer<typeof PostResult>;

/** Why a request ended without a result. */
export const RequestFailure = z.object({
  code: z.string().refine(isErrorCode),
  message: z.string(),
  stage: z.string().nullable(),
  retryable: z.boolean(),
});
export type RequestFailure = z.infer<typeof RequestFailure>;

/** A request as callers see it. */
export interface RequestView {
  id: string;
  state: (typeof REQUEST_STATES)[number];
  link: string;
  postId: string | null;
  /** The stages that are open now, in pipeline order. */
  stages: { name: string; state: string; attempts: number }[];
  /** Null if it goes on, or has ended. */
  waitingFor: WaitingFor | null;
  failure: RequestFailure | null;
  result: PostResult | null;
  /** Null until it has ended; what failed may have cost something, too. */
  cost: Cost | null;
  createdAt: string;
  finishedAt: string | null;
}
