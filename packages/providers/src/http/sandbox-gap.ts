import { UnrecoverableError } from "@clipmill/domain";

/** The sandbox's header on an answer about a post that is none of its own; holds the ids of those that are. */
const GAP_HEADER = "x-sandbox-knows";

/**
 * The error for a post that the sandbox does not know, or null for any other answer: it says nothing of the real post.
 * For answers of the sandbox only; a stranger's header means nothing.
 */
export function findSandboxGap(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): UnrecoverableError | null {
  const known = headers[GAP_HEADER];
  if (typeof known !== "string") return null;
  const ids = known.split(",").filter((id) => /^\d{15,20}$/.test(id));
  return new UnrecoverableError(
    "unsupported",
    `the sandbox knows these ${ids.length} posts: ${ids.join(", ")}; for real ones set TIKLIVE_API_KEY, or POST_SOURCES=ytdlp`,
  );
}
