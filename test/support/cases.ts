import { existsSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "../../../shared/cases");

/** Whether the project's folder of inputs that people met is beside the clone. Tests that need it are skipped by name. */
export const hasCases = existsSync(FOLDER);

/** Path of an input that somebody met, such as `casePath("48-fragmented-mp4", "frag.mp4")`. Do not write there. */
export function casePath(name: string, file: string): string {
  return join(FOLDER, name, file);
}
