import { ClipmillError, type ErrorCode, RetryableError, type StageContext } from "@clipmill/domain";

/**
 * The engines of a recipe that this worker has, in order. Throws RetryableError `engine_unavailable` if it has none.
 */
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
 * Asks one engine after the other. Goes on to the next only after an error whose code has `failover` in the registry.
 * If all engines fail, throws the error that comes first in `ERROR_PRECEDENCE`.
 */
export async function tryEngines<E extends { readonly id: string }, T>(
  engines: readonly [E, ...E[]],
  attempt: (engine: E) => Promise<T>,
  {
    signal,
    log,
    onPass,
    mayPass = ({ entry }) => entry.failover,
  }: Pick<StageContext, "signal" | "log"> & {
    /** After which errors the next engine is asked. Default: those whose code has `failover`. */
    mayPass?: (error: ClipmillError) => boolean;
    /** Told of each engine that failed so that the next one is asked. Default: nobody is. */
    onPass?: (engine: E, error: ClipmillError) => void;
  },
): Promise<T> {
  let foremost: ClipmillError | undefined;
  for (const engine of engines) {
    try {
      return await attempt(engine);
    } catch (error) {
      if (signal.aborted || !(error instanceof ClipmillError) || !mayPass(error)) throw error;
      foremost = toForemost(foremost, error);
      onPass?.(engine, error);
      // The limiter refused the call and has logged why, once. A line for each refused call would bury that one.
      if (error.details["sent"] === false) continue;
      // If another engine answers, nobody else sees this error, so it has to be logged here.
      const needsHuman = error.code === "provider_key" || error.code === "provider_balance";
      log[needsHuman ? "error" : "warn"]({ engine: engine.id, code: error.code }, "engine failed");
    }
  }
  throw foremost ?? new Error("there was no engine to ask");
}

/**
 * Which error is thrown when all engines fail: first a fact about the post's media, then errors that end by themselves,
 * the soonest first, then those that a person must fix, then those of an engine that can never do it.
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
  "invalid_answer",
  "too_large",
  "unsupported",
];

function toForemost(earlier: ClipmillError | undefined, later: ClipmillError): ClipmillError {
  if (earlier === undefined) return later;
  const difference = ERROR_PRECEDENCE.indexOf(earlier.code) - ERROR_PRECEDENCE.indexOf(later.code);
  if (difference !== 0) return difference < 0 ? earlier : later;
  return (later.retryAfterMs ?? Infinity) < (earlier.retryAfterMs ?? Infinity) ? later : earlier;
}
