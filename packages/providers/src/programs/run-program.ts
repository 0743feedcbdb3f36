import { spawn } from "node:child_process";
import { toProgramEnv } from "./program-env.ts";

export interface ProgramOptions {
  signal: AbortSignal;
  /** Kills the child and rejects with ProgramError `timeout`. */
  timeoutMs: number;
  /** Most of stdout that is taken; a child that writes more is killed. Default 8 MiB. */
  maxOutputBytes?: number;
  /** Most address space of the child, where the system has such a limit (Linux). Default: none. */
  maxMemoryBytes?: number;
  /** The child's whole environment. Default: what any program needs, and no key of ours (`toProgramEnv`). */
  env?: Readonly<Record<string, string>>;
}

/** A child that did not do its work. stderr is for our own eyes in `stderrTail`: it may quote untrusted text. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  /** `missing`: it could not be started. */
  readonly reason: "missing" | "exit" | "killed" | "timeout" | "output";
  readonly exitCode: number | null;
  readonly stderrTail: string;
  constructor(reason: ProgramError["reason"], exitCode: number | null, stderrTail = "") {
    super(`the program ended with ${reason}${exitCode === null ? "" : ` ${exitCode}`}`);
    this.reason = reason;
    this.exitCode = exitCode;
    this.stderrTail = stderrTail;
  }
}

const STDERR_TAIL_CHARS = 2_000;

/** What the shell exits with when there is nothing to become. */
const NOT_FOUND = 127;

/**
 * Node cannot limit a child, so a shell does and then becomes the program: one process, whose id is known. Path and
 * arguments are the shell's own, not its text. A system that refuses the limit runs the program without it.
 */
const LIMITED = 'ulimit -v "$0" 2>/dev/null; exec "$@"';

function start(
  path: string,
  args: readonly string[],
  { maxMemoryBytes, env = toProgramEnv() }: Pick<ProgramOptions, "maxMemoryBytes" | "env">,
) {
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  if (maxMemoryBytes === undefined || process.platform === "win32") {
    return spawn(path, args, { stdio, env });
  }
  const kilobytes = String(Math.floor(maxMemoryBytes / 1024));
  return spawn("/bin/sh", ["-c", LIMITED, kilobytes, path, ...args], { stdio, env });
}

/**
 * Runs a program with an argument array, no shell and no stdin, and returns its stdout as text. It settles only
 * once the child is gone, so whoever awaits it leaves no process behind. An abort rejects with the signal's reason.
 */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<string> {
  const { signal, timeoutMs, maxOutputBytes = 8 * 1024 * 1024, maxMemoryBytes } = options;
  signal.throwIfAborted();
  const child = start(path, args, options);
  let fault: "timeout" | "output" | undefined;
  const kill = (): void => void child.kill("SIGKILL");
  const timer = setTimeout(() => {
    fault = "timeout";
    kill();
  }, timeoutMs);
  signal.addEventListener("abort", kill, { once: true });

  const chunks: Buffer[] = [];
  let bytes = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxOutputBytes) chunks.push(chunk);
    else {
      fault = "output";
      kill();
    }
  });
  let stderrTail = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderrTail = (stderrTail + text).slice(-STDERR_TAIL_CHARS);
  });

  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.on("error", () => reject(new ProgramError("missing", null)));
      child.on("close", resolve);
    });
    signal.throwIfAborted();
    if (fault !== undefined) throw new ProgramError(fault, null, stderrTail);
    if (exitCode === null) throw new ProgramError("killed", null, stderrTail);
    if (exitCode === NOT_FOUND && maxMemoryBytes !== undefined) {
      throw new ProgramError("missing", null, stderrTail);
    }
    if (exitCode !== 0) throw new ProgramError("exit", exitCode, stderrTail);
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  }
}
