// JavaScript, because the bootstrap needs it on Node 20, before there is anything that reads TypeScript.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

/** Of the fields after the program's name in /proc/self/stat: where the environment of the start lies in memory. */
const ENV_START = 47;
const ENV_END = 48;

export function concealEnvironment() {
  if (process.platform !== "linux") return false;
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [start, end] = [Number(fields[ENV_START]), Number(fields[ENV_END])];
    if (!(start > 0 && end > start)) return false;
    const memory = openSync("/proc/self/mem", "r+");
    try {
      moveToHeap();
      writeSync(memory, Buffer.alloc(end - start), 0, end - start, start);
    } finally {
      closeSync(memory);
    }
    return true;
  } catch {
    return false;
  }
}

/** Sets every variable anew, so that it lies elsewhere than in the block of the start. */
function moveToHeap() {
  const all = { ...process.env };
  for (const name of Object.keys(all)) delete process.env[name];
  Object.assign(process.env, all);
}
