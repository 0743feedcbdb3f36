import { join } from "node:path";
import { ROOT } from "../paths.ts";
import { runScript } from "./run-tool.ts";

/** The chaos harness; its own options say how long and how hard. */
export function runChaos(args: readonly string[]): Promise<number> {
  return runScript(join(ROOT, "test/chaos/chaos.ts"), args);
}
