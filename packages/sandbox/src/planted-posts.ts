import type { AwemeId } from "@clipmill/domain";
import { Fault } from "./faults/fault.ts";
import type { SampleFile, SamplePost } from "./sample-posts.ts";

/** A post that is planted beside the pack's, for cases that the pack has not. */
export interface PlantedPost {
  id: AwemeId;
  /** What the rest is copied from: the pack's first post of this kind. */
  kind: SamplePost["kind"];
  files: readonly PlantedFile[];
  /** Faults on this post alone, from the start. */
  faults: readonly Fault[];
}

export interface PlantedFile {
  /** The last part of its CDN link, such as `<post id>.mp4`; no other file has it. */
  name: string;
  /** `captions` stand in no answer of TikLiveAPI: see `Sandbox.toLink`. */
  role: SampleFile["role"] | "captions";
  contentType: string;
  /** The content; called for each request, so that thousands of posts need not lie in memory. */
  read(): Buffer;
  /** What the API names instead of a link to the CDN. */
  link?: string;
}

/** The post as TikLiveAPI and short links tell of it; its short code is `ZT` and its id. */
export function toSamplePost(
  { id, kind, files, faults }: PlantedPost,
  pack: readonly SamplePost[],
): SamplePost {
  const like = pack.find((post) => post.kind === kind);
  if (like === undefined) throw new Error(`the pack has no post of kind ${kind}`);
  return {
    ...like,
    id,
    url: like.url.replace(/\d+$/, id),
    shortCode: `ZT${id}`,
    files: files.flatMap(({ name, role, contentType }) =>
      role === "captions" ? [] : [{ name, role, contentType, sha256: "", bytes: 0 }],
    ),
    quirks: [],
    faults: faults.map((fault) => Fault.parse(fault)),
  };
}
