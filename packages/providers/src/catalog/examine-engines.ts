import type { DoctorLine } from "../engine-module.ts";
import { CATALOG, type Catalog } from "./catalog.ts";
import type { Variables } from "./variables.ts";

/**
 * What `clipmill doctor` says about the engines: a line for each name. Of a kind whose list names engines, those that
 * it does not name are left out; one that is for a list only is left out unless it is listed.
 */
export async function examineEngines(
  variables: Variables,
  { posts, asr, ocr, llm }: Catalog = CATALOG,
): Promise<DoctorLine[]> {
  const { ASR_ENGINES, POST_SOURCES, LLM_ENGINES } = variables;
  const used = [
    ...select(asr, ASR_ENGINES),
    ...ocr,
    ...select(posts, POST_SOURCES),
    ...select(llm, LLM_ENGINES),
  ];
  const lines = await Promise.all(
    used.flatMap((module) => module.doctor?.(module.settings.parse(variables)) ?? []),
  );
  const byName = Map.groupBy(lines, ({ name }) => name);
  return [...byName.values()].map(toOne);
}

function select<Module extends { name: string; listedOnly?: boolean }>(
  modules: readonly Module[],
  list: readonly string[],
): Module[] {
  return modules.filter(({ name, listedOnly = false }) =>
    list.length === 0 ? !listedOnly : list.includes(name),
  );
}

/** One of several engines is enough, so what is not there is told only where none is. */
function toOne(lines: readonly DoctorLine[]): DoctorLine {
  const found = lines.flatMap((line) => line.found ?? []);
  return {
    name: lines[0]?.name ?? "",
    found: found.length === 0 ? null : found.join(", "),
    without: lines[0]?.without ?? "",
    advice: lines.flatMap(({ found: is, advice }) => (is === null ? advice : [])).join(", or "),
    isWanted: lines.some(({ isWanted = false }) => isWanted),
  };
}
