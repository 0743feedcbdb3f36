import type { AwemeId } from "../ids.ts";

/** What a link turned out to be. `url` is canonical and https. */
export type ParsedLink =
  | { kind: "post"; awemeId: AwemeId; url: string }
  /** Only the resolve stage can tell which post it is. */
  | { kind: "short"; url: string };
