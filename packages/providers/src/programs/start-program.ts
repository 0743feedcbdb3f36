import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Readable } from "node:stream";
import { guardGroup, MARK_NAME, MARK_PREFIX, startGuard } from "./orphan-guard.ts";

/** What the system holds a program to, and each that it starts. A system that refuses one goes without it. */
export interface ProgramLimits {
  /** Most address space, in bytes (Linux). Default 2 GiB. */
  maxMemoryBytes?: number | undefined;
  /** Longest file that it may write, in bytes. Default 4 GiB. */
  maxFileBytes?: number | undefined;
  /** How far it steps back from the processors for others, from 0 to 19 (not on Windows). Default 0. */
  niceness?: number | undefined;
}

export interface StartedProgram {
  child: ChildProcessByStdio<null, Readable, Readable>;
  /** Ends it and all that it started, also what left its process group (on Linux, unless it dropped its environment). */
  kill(): void;
  /** It has ended: so does what it left behind in its group. */
  end(): void;
}

const MAX_MEMORY_BYTES = 2 * 1024 ** 3;
const MAX_FILE_BYTES = 4 * 1024 ** 3;

/**
 * Node cannot limit a child, so a shell does and then becomes the program: one process, whose id is known. Path and
 * arguments are the shell's own, not its text. Where Linux weighs whole sessions against each other (autogroup), the
 * niceness of a process counts only within its session, and a program has one of its own: so the session gets it too.
 */
const LIMITED = `
ulimit -c 0 2>/dev/null
ulimit -t "$1" 2>/dev/null
ulimit -f "$2" 2>/dev/null
ulimit -v "$3" 2>/dev/null
niceness=$4
shift 4
if [ "$niceness" != 0 ] && command -v nice >/dev/null; then
  { echo "$niceness" >/proc/self/autogroup; } 2>/dev/null
  exec nice -n "$niceness" -- "$@"
fi
exec "$@"`;
/** What `ulimit -f` counts in, by POSIX. */
const FILE_BLOCK_BYTES = 512;

let startedCount = 0;

export interface ProgramStart extends ProgramLimits {
  path: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
}

/**
 * Starts a program without stdin, at the head of a process group of its own, which ends with this process. It may use
 * all cores for `timeoutMs`, and no more CPU time than that: a backstop for what its group is not. `env` is its whole
 * environment.
 */
export function startProgram(start: ProgramStart): StartedProgram {
  const { path, args } = start;
  const mark = `${MARK_PREFIX}${startedCount++}`;
  const env = { ...start.env, [MARK_NAME]: mark };
  const isPosix = process.platform !== "win32";
  const limited = ["-c", LIMITED, "clipmill-child", ...toLimits(start), path, ...args];
  startGuard();
  const child = spawn(isPosix ? "/bin/sh" : path, isPosix ? limited : args, {
    stdio: ["ignore", "pipe", "pipe"],
    env,
    // Its own group. Windows would open a window for it.
    detached: isPosix,
  });
  const { pid } = child;
  const unguard = pid === undefined ? () => {} : guardGroup(pid);
  let hasEnded = false;
  return {
    child,
    kill() {
      // Afterwards its id may be another's.
      if (!hasEnded) killGroup(pid);
      killMarked(mark);
    },
    end() {
      hasEnded = true;
      killGroup(pid);
      unguard();
    },
  };
}

function toLimits({
  timeoutMs,
  maxMemoryBytes = MAX_MEMORY_BYTES,
  maxFileBytes = MAX_FILE_BYTES,
  niceness = 0,
}: ProgramStart): string[] {
  const cpuSeconds = Math.ceil(timeoutMs / 1_000) * availableParallelism() + 1;
  const blocks = Math.floor(maxFileBytes / FILE_BLOCK_BYTES);
  return [cpuSeconds, blocks, Math.floor(maxMemoryBytes / 1_024), niceness].map(String);
}

/** On Windows the program alone. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}

/** What is starting processes while it is looked for is looked for again. */
const ROUNDS = 3;

/** Kills what bears the mark: a program that made itself a session of its own is in no group that we know. Linux only. */
function killMarked(mark: string): void {
  const wanted = Buffer.from(`${MARK_NAME}=${mark}\0`);
  for (let round = 0; round < ROUNDS; round++) {
    const found = listProcesses().filter((pid) => readEnvironment(pid)?.includes(wanted) === true);
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }
}

function listProcesses(): number[] {
  try {
    return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

/** Null for what has ended, and for other people's processes. */
function readEnvironment(pid: number): Buffer | null {
  try {
    return readFileSync(`/proc/${pid}/environ`);
  } catch {
    return null;
  }
}
