import { runTool } from "./run-tool.ts";

/** All tests, or those that vitest's arguments select. */
export function runTests(args: readonly string[]): Promise<number> {
  return runTool("vitest", ["run", "--config", "test/vitest.config.ts", ...args]);
}
