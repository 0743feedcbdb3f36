import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../failure.ts";
import { ROOT } from "../paths.ts";
import { runScript } from "./run-tool.ts";

const DIRECTORY = join(ROOT, "test/bench");
const SUFFIX = ".bench.ts";

/**
 * Runs `test/bench/<name>.bench.ts`, the name being the first word; the rest goes to it. Throws UsageError where there
 * is none, with the names there are.
 */
export async function bench(args: readonly string[]): Promise<number> {
  const names = await findNames();
  const name = args.find((arg) => !arg.startsWith("-"));
  if (name === undefined) {
    for (const known of names) console.log(known);
    return 0;
  }
  if (!names.includes(name)) {
    throw new UsageError(`there is no benchmark ${name}; there is: ${names.join(", ") || "none"}`);
  }
  return runScript(
    join(DIRECTORY, `${name}${SUFFIX}`),
    args.filter((arg) => arg !== name),
  );
}

async function findNames(): Promise<string[]> {
  if (!existsSync(DIRECTORY)) return [];
  const files = await readdir(DIRECTORY);
  return files.filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length));
}
