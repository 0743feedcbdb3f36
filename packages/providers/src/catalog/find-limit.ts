import type { EngineId } from "@clipmill/domain";
import type { UpstreamLimit } from "../engine-module.ts";
import { CATALOG, type Catalog } from "./catalog.ts";
import type { Variables } from "./variables.ts";

/** What is known of the upstream of an engine; null for one that runs on this machine. */
export function findLimit(
  variables: Variables,
  engine: EngineId,
  { posts, asr, ocr, llm }: Catalog = CATALOG,
): UpstreamLimit | null {
  const name = /^[^:@]*/.exec(engine)?.[0];
  const module = [...posts, ...asr, ...ocr, ...llm].find((known) => known.name === name);
  return module?.rate?.(module.settings.parse(variables)) ?? null;
}
