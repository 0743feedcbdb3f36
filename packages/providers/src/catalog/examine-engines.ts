import type { DoctorLine } from "../engine-module.ts";
import { CATALOG, type Catalog } from "./catalog.ts";
import { isListed, type Variables } from "./variables.ts";

/** What `clipmill doctor` says about the engines: a line for each name. Those for a list only are left out unless listed. */
export async function examineEngines(
  variables: Variables,
  { posts, asr, ocr, llm }: Catalog = CATALOG,
): Promise<DoctorLine[]> {
  const wanted = [...asr, ...ocr, ...posts, ...llm].filter(
    ({ name, listedOnly = false }) => !listedOnly || isListed(variables, name),
  );
  const lines = await Promise.all(
    wanted.flatMap((module) => module.doctor?.(module.settings.parse(variables)) ?? []),
  );
  const byName = Map.groupBy(lines, ({ name }) => name);
  return [...byName.values()].map(toOne);
}

/** One of several engines is enough, so what is not there is told only where none is. */
function toOne(lines: readonly DoctorLine[]): DoctorLine {
  const found = lines.flatMap((line) => line.found ?? []);
  return {
    name: lines[0]?.name ?? "",
    found: found.length === 0 ? null : found.join(", "),
    without: lines[0]?.without ?? "",
    advice: lines.map(({ advice }) => advice).join(", or "),
  };
}
