import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** The npm that started us, else the one beside this Node, else the one on PATH: program and first arguments. */
export function findNpm() {
  const execpath = process.env.npm_execpath;
  const candidates = [
    ...(execpath !== undefined && /^np[mx]-cli\.js$/.test(basename(execpath))
      ? [join(dirname(execpath), "npm-cli.js")]
      : []),
    join(dirname(process.execPath), "../lib/node_modules/npm/bin/npm-cli.js"),
  ];
  const script = candidates.find((path) => existsSync(path));
  return script === undefined ? ["npm"] : [process.execPath, script];
}
