import type { ErrorCode, StageEnd } from "@clipmill/domain";

/**
 * For this long "gone", "private" and "region locked" are remembered, so that asking again for such a post costs
 * nothing. After it the post is looked up again, because creators change their minds.
 */
const ABSENCE_REMEMBERED_MS = 10 * 60_000;

const ABSENCES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["gone", "private", "region_locked"]);

/**
 * Whether a post that was missing is looked up again. At once, if the request asks a source that was not asked then: what
 * one source says binds no other.
 */
export function isAbsenceOver(
  code: ErrorCode | null,
  endedMsAgo: number,
  { sources, askedSources }: { sources: readonly string[]; askedSources: readonly string[] } = {
    sources: [],
    askedSources: [],
  },
): boolean {
  if (code === null || !ABSENCES.has(code)) return false;
  const isOtherSource = askedSources.some((source) => !sources.includes(source));
  return isOtherSource || endedMsAgo > ABSENCE_REMEMBERED_MS;
}

/** Whether an engine that stands earlier in the recipe than the one that ran is available now. */
export function hasBetterEngine({
  input,
  end,
  isAvailable,
}: Omit<StageEnd<{ engines: readonly string[] }, { engine: string }>, "asked">): boolean {
  if (end.state !== "done") return false;
  const ran = input.engines.indexOf(end.output.engine);
  return input.engines.slice(0, Math.max(0, ran)).some(isAvailable);
}
