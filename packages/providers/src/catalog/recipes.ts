import type { Recipe, Recipes } from "@clipmill/domain";
import type { EngineModule } from "../engine-module.ts";
import { CATALOG, type Catalog } from "./catalog.ts";
import type { Variables } from "./variables.ts";
import { findReal, findSimulated, type Variant } from "./variants.ts";

/** How the recipe of one kind of engine is made. */
interface Rule {
  /** The variable that lists engines in order; null: there is none for this kind. */
  list: "POST_SOURCES" | "ASR_ENGINES" | "LLM_ENGINES" | null;
  /** What a configuration that lists nothing gets: the first engine that can be used, or all of them. */
  unlisted: "first" | "all";
  /**
   * Where the sandbox stands: in place of an engine that lacks its key; or after all others, where recognition for
   * real may be possible without any key.
   */
  sandbox: "instead" | "after";
}

const RULES = {
  posts: { list: "POST_SOURCES", unlisted: "first", sandbox: "instead" },
  files: { list: null, unlisted: "first", sandbox: "instead" },
  asr: { list: "ASR_ENGINES", unlisted: "all", sandbox: "after" },
  ocr: { list: null, unlisted: "first", sandbox: "instead" },
  llm: { list: "LLM_ENGINES", unlisted: "first", sandbox: "instead" },
} as const satisfies Record<string, Rule>;

export interface RecipeOptions {
  /** `file`: for a person's own file. Default: for a post of TikTok. */
  origin?: "tiktok" | "file";
  /** Default: CATALOG. */
  catalog?: Catalog;
}

/**
 * The ordered engines that a request gets. Depends on the configuration alone, never on what is installed here: an API
 * without pocketsphinx plans the same work as the worker that has it. Throws an Error that names the variable when it
 * lists an unknown engine or one whose settings are missing.
 */
export function toRecipes(
  variables: Variables,
  { origin = "tiktok", catalog = CATALOG }: RecipeOptions = {},
): Recipes {
  const ofFile = origin === "file";
  // The sandbox knows its own posts only: what it says of a person's own file would be made up.
  const own = ofFile ? { ...variables, CLIPMILL_SANDBOX_URL: undefined } : variables;
  const sources = catalog.posts.filter((module) => (module.origin === "file") === ofFile);
  return {
    source: toRecipe(sources, ofFile ? RULES.files : RULES.posts, own),
    asr: toRecipe(catalog.asr, RULES.asr, own),
    ocr: toRecipe(catalog.ocr, RULES.ocr, own),
    llm: toRecipe(catalog.llm, RULES.llm, own),
  };
}

/** The engines that can be used because a person has set what they need, by id, each with the name of that variable. */
export function findKeyed(
  variables: Variables,
  { posts, asr, ocr, llm }: Catalog = CATALOG,
): ReadonlyMap<string, string> {
  const modules: readonly Module[] = [...posts, ...asr, ...ocr, ...llm];
  return new Map(
    modules.flatMap((module): [string, string][] => {
      const real = module.needs === undefined ? null : findReal(module, variables);
      return real === null ? [] : [[real.id, module.needs ?? ""]];
    }),
  );
}

type Module = Omit<EngineModule<unknown, Record<string, unknown>, never>, "create">;

function toRecipe(modules: readonly Module[], rule: Rule, variables: Variables): Recipe {
  const find = (module: Module): Variant | null =>
    findReal(module, variables) ??
    (rule.sandbox === "instead" ? findSimulated(module, variables) : null);
  const { list } = rule;
  const real =
    list === null || variables[list].length === 0
      ? toUnlisted(modules, rule, find)
      : variables[list].map((name) => getListed(name, list, modules, find));
  const after = rule.sandbox === "after" ? modules.map((m) => findSimulated(m, variables)) : [];
  return [...new Set([...real, ...after].flatMap((variant) => variant?.id ?? []))];
}

function toUnlisted(
  modules: readonly Module[],
  { unlisted }: Rule,
  find: (module: Module) => Variant | null,
): Variant[] {
  const usable = modules
    .filter(({ listedOnly = false }) => !listedOnly)
    .flatMap((module) => find(module) ?? []);
  return unlisted === "first" ? usable.slice(0, 1) : usable;
}

function getListed(
  name: string,
  list: string,
  modules: readonly Module[],
  find: (module: Module) => Variant | null,
): Variant {
  const module = modules.find((candidate) => candidate.name === name);
  if (module === undefined) {
    const names = modules.map((known) => known.name).join(", ");
    throw new Error(`${list} lists ${JSON.stringify(name)}; the engines are ${names}`);
  }
  const found = find(module);
  if (found !== null) return found;
  throw new Error(`${list} lists ${name}, so ${module.needs} must be set`);
}
