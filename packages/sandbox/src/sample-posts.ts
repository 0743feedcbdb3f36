import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AwemeId, isErrorCode, Segment, Sha256 } from "@clipmill/domain";
import { z } from "zod";
import { Fault } from "./faults/fault.ts";

const PACK = new URL("../pack/", import.meta.url);

const Person = z.strictObject({ uniqueId: z.string(), nickname: z.string() });
const Reply = z.strictObject({
  id: z.string(),
  text: z.string(),
  likes: z.number().int(),
  author: Person,
});

const SampleFile = z.strictObject({
  /** `<post id>[-position].<ext>` in `pack/media`, and the last part of its CDN link. */
  name: z.string(),
  role: z.enum(["video", "audio", "cover", "slide"]),
  sha256: Sha256,
  bytes: z.number().int(),
  contentType: z.string(),
});
export type SampleFile = z.infer<typeof SampleFile>;

/** What a run of the pipeline makes of the post. The demo compares it and fails on a difference. */
const Expectation = z.strictObject({
  outcome: z.enum(["done", "skipped", "failed"]),
  code: z.string().refine(isErrorCode).optional(),
  /** Sources that the summary rests on at least; screen text comes on top where an OCR engine is installed. */
  sources: z
    .array(z.enum(["transcript", "captions", "ocr", "metadata"]))
    .readonly()
    .optional(),
  /** Stages in the result's `simulated`, in pipeline order, where pocketsphinx hears the speech. */
  simulated: z.array(z.string()).readonly(),
  /** The same where the sandbox's recorded transcripts stand in. */
  simulatedWithoutAsr: z.array(z.string()).readonly(),
});

const SamplePost = z.strictObject({
  id: AwemeId,
  url: z.url(),
  /** Code of the post's short link: `<sandbox>/t/<code>`. */
  shortCode: z.string(),
  kind: z.enum(["speech", "screen-text", "music", "slideshow", "private", "deleted"]),
  creator: Person.extend({
    /** Numeric, as /user-posts/ wants it. */
    id: z.string(),
    followerCount: z.number().int().nullable(),
  }),
  title: z.string().nullable(),
  region: z.string().nullable(),
  music: z
    .strictObject({ id: z.string(), title: z.string(), author: z.string(), original: z.boolean() })
    .nullable(),
  counters: z.strictObject({
    plays: z.number().int(),
    likes: z.number().int(),
    comments: z.number().int(),
    shares: z.number().int(),
    downloads: z.number().int(),
    collects: z.number().int(),
  }),
  /** Measured; of the sound for a slideshow, 0 where there is no file. */
  durationMs: z.number().int(),
  files: z.array(SampleFile),
  /** Exactly what is said; null where nobody speaks. */
  words: z.string().nullable(),
  /** The recorded transcript: one segment per sentence, with the times of its synthesis. */
  segments: z.array(Segment),
  /** Text that stands in the picture, apart from the captions of the speech. */
  screenLines: z.array(z.string()),
  comments: z.array(Reply.extend({ replies: z.array(Reply) })),
  /** Oddities of the real payloads that this post shows on purpose. */
  quirks: z.array(z.enum(["opaque-aweme-id", "number-id", "string-counters", "no-follower-count"])),
  /** Faults that every sandbox starts with. */
  faults: z.array(Fault),
  expect: Expectation,
});
export type SamplePost = z.infer<typeof SamplePost>;

let loaded: SamplePost[] | undefined;

/** The sample pack's manifest, in the order of the demo. */
export function samplePosts(): SamplePost[] {
  loaded ??= z
    .array(SamplePost)
    .parse(JSON.parse(readFileSync(new URL("pack.json", PACK), "utf8")));
  return structuredClone(loaded);
}

/** Where a file of the pack lies. */
export function toSamplePath(file: Pick<SampleFile, "name">): string {
  return fileURLToPath(new URL(`media/${file.name}`, PACK));
}
