import { toSecondsText } from "../printable.ts";
import { captureTool } from "./run-tool.ts";

interface Check {
  name: string;
  tool: string;
  args: readonly string[];
}

/** The slow ones first: two run at a time. */
const CHECKS: readonly Check[] = [
  {
    name: "unit tests",
    tool: "vitest",
    args: ["run", "--config", "test/vitest.config.ts", "--project", "unit"],
  },
  { name: "types", tool: "tsc", args: ["-p", "."] },
  { name: "lint and layers", tool: "oxlint", args: [] },
  { name: "dependencies", tool: "knip", args: ["--no-progress"] },
  { name: "format", tool: "oxfmt", args: ["--check", "."] },
];
const AT_ONCE = 2;

/** One line per check, and the output of those that fail. Resolves with the exit code. */
export async function check(): Promise<number> {
  const waiting = [...CHECKS];
  let failed = 0;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const startedAt = Date.now();
      const { code, output } = await captureTool(next.tool, next.args);
      const mark = code === 0 ? "✓" : "✗";
      console.log(`${mark} ${next.name.padEnd(16)} ${toSecondsText(Date.now() - startedAt)}`);
      if (code === 0) continue;
      failed++;
      console.log(output.trimEnd());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return failed === 0 ? 0 : 1;
}
