import type { AwemeId } from "./ids.ts";
import { UnrecoverableError } from "./errors.ts";

/** What a link turned out to be. `url` is canonical and https. */
export type ParsedLink =
  | { kind: "post"; awemeId: AwemeId; url: string }
  /** Only the resolve stage can tell which post it is. */
  | { kind: "short"; url: string };

/** Parses a TikTok link, a bare id or pasted share text. Throws UnrecoverableError `invalid_link`, `not_a_post` or `unsupported`. */
export function parseLink(text: string): ParsedLink {
  throw new UnrecoverableError("invalid_link", `no TikTok link in ${text.length} characters`);
}
