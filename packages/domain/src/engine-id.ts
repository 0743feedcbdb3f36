/**
 * An engine id names who does a piece of work: `name[@sandbox][:model]`, such as `pocketsphinx:en-us`,
 * `claude:claude-haiku-5-5` or `claude@sandbox:claude-haiku-5-5`. Ids stand in recipes and so in keys:
 * an answer of the sandbox can never be served as one of the real model.
 */
export type EngineId = string;

/** Engines in the order of preference. A stage takes the first that is available on its worker. */
export type Recipe = readonly EngineId[];

export function toEngineId(
  name: string,
  { model, sandbox = false }: { model?: string; sandbox?: boolean } = {},
): EngineId {
  return `${name}${sandbox ? "@sandbox" : ""}${model === undefined ? "" : `:${model}`}`;
}

/** True where the output or its price is not real. */
export function isSimulated(engine: EngineId): boolean {
  return /^[^:]*@sandbox(:|$)/.test(engine);
}

/** The source of posts that are a user's own files. */
export const FILE_SOURCE: EngineId = "file";

/** Where posts come from: TikTok, a user's own files, or the sandbox. What one says of a post binds no other. */
export type Origin = "tiktok" | "file" | "sandbox";

/** A recipe with a simulated source may give a simulated post, whatever else stands in it. */
export function toOrigin(recipe: Recipe): Origin {
  if (recipe.some(isSimulated)) return "sandbox";
  return recipe.includes(FILE_SOURCE) ? "file" : "tiktok";
}

export function toRecipeKey(recipe: Recipe): string {
  return recipe.join(">");
}
