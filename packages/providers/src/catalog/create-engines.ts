import type { AsrProvider, EngineId, OcrProvider, SummaryProvider } from "@clipmill/domain";
import type {
  ClosablePostSource,
  EngineContext,
  EngineModule,
  ImportedFiles,
} from "../engine-module.ts";
import { CATALOG, type Catalog } from "./catalog.ts";
import { isListed, type Variables } from "./variables.ts";
import { findReal, findSimulated, type Variant } from "./variants.ts";

/** What runs on this machine, found by its id. */
export interface Engines {
  asr: AsrProvider[];
  ocr: OcrProvider[];
  llm: SummaryProvider[];
}

/**
 * Every engine that works on this machine, also those that the present recipes leave out: jobs of an earlier
 * configuration may name them. Starts pocketsphinx and tesseract once to see whether they run; takes about half a second.
 */
export async function createEngines(
  variables: Variables,
  catalog: Catalog = CATALOG,
): Promise<Engines> {
  const toContext = (engine: EngineId): EngineContext => ({ engine });
  const [asr, ocr, llm] = await Promise.all([
    createAll(catalog.asr, variables, toContext),
    createAll(catalog.ocr, variables, toContext),
    createAll(catalog.llm, variables, toContext),
  ]);
  return { asr, ocr, llm };
}

/** Told when a source says that no call is left for so long, in ms. */
export type OnHoldOff = (source: EngineId, forMs: number) => void;

export interface PostSources {
  all: ClosablePostSource[];
  close(): Promise<void>;
}

/** As `createEngines`, for sources of posts. */
export async function createPostSources(
  variables: Variables,
  { files, onHoldOff }: { files: ImportedFiles; onHoldOff: OnHoldOff },
  catalog: Catalog = CATALOG,
): Promise<PostSources> {
  const all = await createAll(catalog.posts, variables, (engine) => ({
    engine,
    files,
    onHoldOff: (forMs: number) => onHoldOff(engine, forMs),
  }));
  return {
    all,
    async close() {
      await Promise.all(all.flatMap((source) => source.close?.() ?? []));
    },
  };
}

type Module<Provider, Context> = EngineModule<Provider, Record<string, unknown>, Context>;

async function createAll<Provider, Context>(
  modules: readonly Module<Provider, Context>[],
  variables: Variables,
  toContext: (engine: EngineId) => Context,
): Promise<Provider[]> {
  const created = modules.map(async (module) => {
    const variants = [findReal(module, variables), findSimulated(module, variables)];
    const here = await Promise.all(variants.map((variant) => findHere(module, variant, variables)));
    const found = here.filter((variant) => variant !== null);
    return await Promise.all(
      found.map(({ id, settings }) => module.create(settings, toContext(id))),
    );
  });
  return (await Promise.all(created)).flat();
}

/** To look for a program takes up to a second, so one that is for a list only is looked for only if it is listed. */
async function findHere<Provider, Context>(
  module: Module<Provider, Context>,
  variant: Variant | null,
  variables: Variables,
): Promise<Variant | null> {
  if (variant === null || module.find === undefined) return variant;
  if (module.listedOnly === true && !isListed(variables, module.name)) return null;
  return (await module.find(variant.settings)) === null ? null : variant;
}
