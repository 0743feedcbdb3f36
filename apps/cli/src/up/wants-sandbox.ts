import type { Config } from "@clipmill/config";

/**
 * Whether the sandbox stands in for other people's machines: unless the caller says so, where no real source of posts is
 * set up, neither by a key nor by a list of sources that need none.
 */
export function wantsSandbox({
  CLIPMILL_SANDBOX,
  POST_SOURCES,
  TIKLIVE_API_KEY,
}: Pick<Config, "CLIPMILL_SANDBOX" | "POST_SOURCES" | "TIKLIVE_API_KEY">): boolean {
  if (CLIPMILL_SANDBOX !== "auto") return CLIPMILL_SANDBOX === "on";
  const hasFreeSource = POST_SOURCES.length > 0 && !POST_SOURCES.includes("tiklive");
  return TIKLIVE_API_KEY === undefined && !hasFreeSource;
}
