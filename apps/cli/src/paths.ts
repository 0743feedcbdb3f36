import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));

/** The clone. */
export const ROOT = join(HERE, "../../..");
export const MAIN = join(HERE, "main.ts");
export const API_MAIN = join(ROOT, "apps/api/src/main.ts");
export const WORKER_MAIN = join(ROOT, "apps/worker/src/main.ts");
/** Flags of Node for a program of ours, so that it conceals its environment before anything else. */
export const CONCEAL_FLAGS = [
  "--import",
  join(HERE, "../bootstrap/conceal-environment.mjs"),
] as const;
export const ENGINE_MANIFESTS = join(HERE, "../engines");
