import { ClipmillError, type ErrorCode, RetryableError, type StageContext } from "@clipmill/domain";

/** The engines of a recipe that this worker has, in the recipe's order. Throws RetryableError `engine_unavailable` for none. */
export function findEngines<E extends { readonly id: string }>(
  recipe: readonly string[],
  available: readonly E[],
): [E, ...E[]] {
  const [first, ...rest] = recipe.flatMap(
    (id) => available.find((candidate) => candidate.id === id) ?? [],
  );
  if (first !== undefined) return [first, ...rest];
  throw new RetryableError(
    "engine_unavailable",
    `none of ${recipe.join(", ") || "no engines"} is available on this worker: see clipmill doctor`,
  );
}

/** The first engine of a recipe that this worker has. */
export function chooseEngine<E extends { readonly id: string }>(
  recipe: readonly string[],
  available: readonly E[],
): E {
  return findEngines(recipe, available)[0];
}

/**
 * Asks engine after engine for as long as the registry lets an error fall over to the next. Where all of them fail,
 * the error that says most is thrown: see `ERROR_PRECEDENCE`.
 */
export async function tryEngines<E extends { readonly id: string }, T>(
  engines: readonly [E, ...E[]],
  attempt: (engine: E) => Promise<T>,
  { signal, log }: Pick<StageContext, "signal" | "log">,
): Promise<T> {
  let telling: ClipmillError | undefined;
  for (const engine of engines) {
    try {
      return await attempt(engine);
    } catch (error) {
      if (signal.aborted || !(error instanceof ClipmillError) || !error.entry.failover) throw error;
      telling = toTelling(telling, error);
      // The gate has told once why it holds everybody back; a line for each call would bury that.
      if (error.details["sent"] === false) continue;
      // The others hide the trouble from callers, so it must be seen here.
      const needsHuman = error.code === "provider_key" || error.code === "provider_balance";
      log[needsHuman ? "error" : "warn"]({ engine: engine.id, code: error.code }, "engine failed");
    }
  }
  throw telling ?? new Error("there was no engine to ask");
}

/**
 * From what says most to what says least: first a fact about the post's media, then what passes by itself, the soonest
 * first, then what a person must mend, then what this engine never can.
 */
const ERROR_PRECEDENCE: readonly ErrorCode[] = [
  "stale_link",
  "throttled",
  "paused",
  "upstream_unavailable",
  "bad_response",
  "blocked",
  "provider_balance",
  "provider_key",
  "engine_unavailable",
  "too_large",
  "unsupported",
];

function toTelling(earlier: ClipmillError | undefined, later: ClipmillError): ClipmillError {
  if (earlier === undefined) return later;
  const difference = ERROR_PRECEDENCE.indexOf(earlier.code) - ERROR_PRECEDENCE.indexOf(later.code);
  if (difference !== 0) return difference < 0 ? earlier : later;
  return (later.retryAfterMs ?? Infinity) < (earlier.retryAfterMs ?? Infinity) ? later : earlier;
}
