import { readFileSync, realpathSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A postmaster that runs on a data directory. */
export interface Postmaster {
  pid: number;
  port: number;
  /** Who started it; null: not clipmill. */
  starter: Starter | null;
}

export interface Starter {
  pid: number;
  alive: boolean;
}

/** What the pid file of a data directory says about the present. */
export type PidFileState =
  | { kind: "none" }
  /** Its process is dead, or a later one has got the pid. */
  | { kind: "stale" }
  | { kind: "running"; postmaster: Postmaster }
  /** A Postgres whose directory we may not see: not ours to judge. */
  | { kind: "unknown"; pid: number };

/** The setting by which a postmaster carries its starter: on its command line it is true for exactly its life. */
const STARTER_SETTING = "clipmill.starter";

export function starterSetting(): string {
  return `${STARTER_SETTING}=${process.pid}/${identifyProcess(process.pid) ?? ""}`;
}

/**
 * What tells a process from a later one with the same pid: when it started, since which boot. Pids repeat soon
 * in containers, where every start counts from 1. Null: there is no such process.
 */
export function identifyProcess(pid: number): string | null {
  if (process.platform !== "linux") return ps("lstart=", pid)?.replace(/\s+/g, "-") ?? null;
  try {
    // The second field is the program's name in brackets and may itself hold spaces and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z") return null;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot}:${fields[18]}`;
  } catch {
    return null;
  }
}

export function readPidFile(dataDirectory: string): PidFileState {
  let lines: string[];
  try {
    lines = readFileSync(join(dataDirectory, "postmaster.pid"), "utf8").split("\n");
  } catch {
    return { kind: "none" };
  }
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0 || identifyProcess(pid) === null) return { kind: "stale" };
  const command = readCommandLine(pid);
  if (!/(^|\/)postgres:?( |$)/.test(command)) return { kind: "stale" };
  const ours = runsIn(pid, dataDirectory, command);
  if (ours === null) return { kind: "unknown", pid };
  if (!ours) return { kind: "stale" };
  const postmaster = { pid, port: Number(lines[3]), starter: parseStarter(command) };
  return { kind: "running", postmaster };
}

/** Fast shutdown; a server that does not follow within 10 s is told to drop everything, then killed. */
export async function stopPostmaster(pid: number): Promise<void> {
  const identity = identifyProcess(pid);
  const gone = () => identity === null || identifyProcess(pid) !== identity;
  for (const [signal, withinMs] of [
    ["SIGINT", 10_000],
    ["SIGQUIT", 5_000],
    ["SIGKILL", 5_000],
  ] as const) {
    if (gone()) return;
    kill(pid, signal);
    const deadline = Date.now() + withinMs;
    while (!gone() && Date.now() < deadline) await sleep(15);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended by itself in between.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Null where the process is another user's and does not show. */
function runsIn(pid: number, dataDirectory: string, command: string): boolean | null {
  if (process.platform !== "linux") {
    return command.includes(` -D ${dataDirectory} `) ? true : null;
  }
  try {
    // Postgres changes into its data directory, and the link follows when that is moved.
    return realpathSync(`/proc/${pid}/cwd`) === realpathSync(dataDirectory);
  } catch {
    return null;
  }
}

function readCommandLine(pid: number): string {
  if (process.platform !== "linux") return ps("args=", pid) ?? "";
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function parseStarter(command: string): Starter | null {
  const [, pid, identity] = new RegExp(`${STARTER_SETTING}=(\\d+)/(\\S*)`).exec(command) ?? [];
  if (pid === undefined) return null;
  return { pid: Number(pid), alive: identifyProcess(Number(pid)) === identity };
}

function ps(column: string, pid: number): string | null {
  const { stdout } = spawnSync("ps", ["-ww", "-o", column, "-p", String(pid)], {
    encoding: "utf8",
  });
  const line = stdout?.trim();
  return line === undefined || line === "" ? null : line;
}
