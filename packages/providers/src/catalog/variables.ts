/**
 * The configuration, by the names of its variables, as `packages/config` loads it. The catalog itself reads those
 * that are named here; each engine reads its own with the schema of its module.
 */
export interface Variables {
  readonly [name: string]: unknown;
  /** Names of engines in order; empty: the kind's default. */
  readonly POST_SOURCES: readonly string[];
  readonly ASR_ENGINES: readonly string[];
  readonly LLM_ENGINES: readonly string[];
  /** Where the sandbox runs. Absent: it does not. */
  readonly CLIPMILL_SANDBOX_URL?: string | undefined;
}

/** Whether a person has named this engine in one of the lists. */
export function isListed(
  { POST_SOURCES, ASR_ENGINES, LLM_ENGINES }: Variables,
  name: string,
): boolean {
  return [...POST_SOURCES, ...ASR_ENGINES, ...LLM_ENGINES].includes(name);
}
