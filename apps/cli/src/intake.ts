import { stat } from "node:fs/promises";
import type { Config } from "@clipmill/config";
import { parseLink, UnrecoverableError } from "@clipmill/domain";
import type { Intake } from "./requests.ts";

/**
 * Understands what was typed: a link, an id, share text or a local file. Throws UnrecoverableError
 * `invalid_request` for a file that is not there, and what `parseLink` throws.
 */
export async function toIntake(
  input: string,
  { language }: { config: Config; language: string | null },
): Promise<Intake> {
  if (await isLocalFile(input)) {
    throw new UnrecoverableError("unsupported", "local files cannot be processed yet");
  }
  const link = parseLink(input);
  const postId = link.kind === "post" ? link.awemeId : null;
  return { link: link.url, postId, origin: "tiktok", language };
}

/** A path that exists, or that can only be meant as one. */
async function isLocalFile(input: string): Promise<boolean> {
  const isFile = await stat(input).then(
    (found) => found.isFile(),
    () => false,
  );
  if (isFile) return true;
  const looksLikePath =
    /^\.{0,2}\//.test(input) || /^[^\s:]+\.(mp4|mov|m4a|mp3|wav|webm|mkv)$/i.test(input);
  if (looksLikePath && !input.includes("tiktok.com/")) {
    throw new UnrecoverableError("invalid_request", `no such file: ${input}`);
  }
  return false;
}
