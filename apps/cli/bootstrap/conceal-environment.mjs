// JavaScript without an import of ours, because the bootstrap needs it on Node 20, before anything is installed.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

/** Of the fields after the program's name in /proc/self/stat: where the environment of the start lies in memory. */
const ENV_START = 47;
const ENV_END = 48;

/**
 * Takes the environment that this process was started with off `/proc/<pid>/environ`, where every program of the same
 * user can read it: also an ffmpeg that works on what strangers made and knows its parent's id. `process.env` and what
 * later children get stay as they are. Imported first of all, before any program is started: by `node --import`, or as the
 * first import of a program. Linux only; elsewhere, and where the system refuses it, nothing happens.
 *
 * What it does not do: who may read our memory finds the keys there (root, and where `kernel.yama.ptrace_scope` is 0 any
 * process of the same user), and the processes before us (a shell, npx, the init of a container) show what they were
 * started with.
 */
function concealEnvironment() {
  if (process.platform !== "linux") return;
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [start, end] = [Number(fields[ENV_START]), Number(fields[ENV_END])];
    if (!(start > 0 && end > start)) return;
    const memory = openSync("/proc/self/mem", "r+");
    try {
      moveToHeap();
      writeSync(memory, Buffer.alloc(end - start), 0, end - start, start);
    } finally {
      closeSync(memory);
    }
  } catch {
    // A kernel or a sandbox that does not allow it.
  }
}

/** Sets every variable anew, so that it lies elsewhere than in the block of the start. */
function moveToHeap() {
  const all = { ...process.env };
  for (const name of Object.keys(all)) delete process.env[name];
  Object.assign(process.env, all);
}

concealEnvironment();
