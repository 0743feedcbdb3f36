import { ERROR_CODES, type ErrorCode, isErrorCode, type StageEnd } from "@clipmill/domain";
import { z } from "zod";

/**
 * For this long "gone", "private" and "region locked" are remembered, so that asking again for such a post costs
 * nothing. After it the post is looked up again, because creators change their minds.
 */
const ABSENCE_REMEMBERED_MS = 10 * 60_000;

const ABSENCES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["gone", "private", "region_locked"]);

/** Whether a post that was missing is looked up again. */
export function isAbsenceOver(code: ErrorCode | null, endedMsAgo: number): boolean {
  return code !== null && ABSENCES.has(code) && endedMsAgo > ABSENCE_REMEMBERED_MS;
}

/**
 * Part of an output: the engines of the recipe that were passed over, and why. `unsupported`, `too_large` and the like
 * mean that they can never do this input.
 */
export const PassedEngines = z.record(z.string(), z.string()).default({});
export type PassedEngines = z.infer<typeof PassedEngines>;

/** For this long an engine that was passed over for a passing reason is not asked again for the same input. */
const PASSED_MS = 10 * 60_000;

/**
 * Whether an engine that stands earlier in the recipe than the one that ran is available now, and may do better. One
 * that can never do this input is not: otherwise each request would buy the same result again. One that was busy or
 * down is asked again after a while.
 */
export function hasBetterEngine({
  input,
  end,
  endedMsAgo,
  isAvailable,
}: StageEnd<{ engines: readonly string[] }, { engine: string; passed?: PassedEngines }>): boolean {
  if (end.state !== "done") return false;
  const { engine, passed = {} } = end.output;
  const ran = input.engines.indexOf(engine);
  return input.engines.slice(0, Math.max(0, ran)).some((better) => {
    const code = passed[better];
    if (code !== undefined && isNever(code)) return false;
    return (code === undefined || endedMsAgo > PASSED_MS) && isAvailable(better);
  });
}

function isNever(code: string): boolean {
  return isErrorCode(code) && ERROR_CODES[code].disposition === "unrecoverable";
}
