import { RetryableError } from "@clipmill/domain";

/** The first engine of a recipe that this worker has. */
export function chooseEngine<E extends { readonly id: string }>(
  recipe: readonly string[],
  available: readonly E[],
): E {
  for (const id of recipe) {
    const engine = available.find((candidate) => candidate.id === id);
    if (engine !== undefined) return engine;
  }
  throw new RetryableError(
    "engine_unavailable",
    `none of ${recipe.join(", ") || "no engines"} is available on this worker: see clipmill doctor`,
  );
}
