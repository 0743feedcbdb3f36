import { once } from "node:events";
import { type ProgramLimits, type StartedProgram, startProgram } from "./start-program.ts";

export interface ProgramOptions extends ProgramLimits {
  signal: AbortSignal;
  /** Kills the program with all that it started, and rejects with ProgramError `timeout`. */
  timeoutMs: number;
  /** Most of stdout that is taken; a program that writes more is killed. Default 8 MiB. */
  maxOutputBytes?: number;
  /** The program's whole environment. Default: what any program needs, and no key of ours (`toProgramEnv`). */
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
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

/** What the shell exits with when there is nothing to become, or nothing that may be run. */
const NOT_STARTED: readonly (number | null)[] = [126, 127];

/** After the program's end its output is waited for this long. Who still holds the pipe then was started by it. */
const PIPES_MS = 1_000;

/**
 * Runs a program with an argument array, no shell and no stdin, and returns its stdout as text. It settles only once the
 * program is gone, with all that it started, so whoever awaits it leaves no process behind. An abort rejects with the
 * signal's reason.
 */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<string> {
  const { signal, timeoutMs, maxOutputBytes = MAX_OUTPUT_BYTES } = options;
  signal.throwIfAborted();
  const program = startProgram(path, args, options);
  let fault: "timeout" | "output" | undefined;
  const stop = (why: typeof fault): void => {
    fault ??= why;
    program.kill();
  };
  const onAbort = (): void => program.kill();
  const timer = setTimeout(stop, timeoutMs, "timeout");
  signal.addEventListener("abort", onAbort, { once: true });
  const output = collect(program, maxOutputBytes, () => stop("output"));
  try {
    const exitCode = await waitForEnd(program);
    signal.throwIfAborted();
    const stderrTail = output.stderrTail();
    if (fault !== undefined) throw new ProgramError(fault, null, stderrTail);
    if (exitCode === null) throw new ProgramError("killed", null, stderrTail);
    if (NOT_STARTED.includes(exitCode)) throw new ProgramError("missing", null, stderrTail);
    if (exitCode !== 0) throw new ProgramError("exit", exitCode, stderrTail);
    return output.stdout();
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

function collect({ child }: StartedProgram, maxOutputBytes: number, onTooMuch: () => void) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let stderrTail = "";
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxOutputBytes) chunks.push(chunk);
    else onTooMuch();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderrTail = (stderrTail + text).slice(-STDERR_TAIL_CHARS);
  });
  return { stdout: () => Buffer.concat(chunks).toString("utf8"), stderrTail: () => stderrTail };
}

/** Its exit code; null: a signal ended it. Not the end of its pipes: a child of its own may hold those for as long as it likes. */
async function waitForEnd(program: StartedProgram): Promise<number | null> {
  const { child } = program;
  const closed = once(child, "close").catch(() => {});
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on("error", () => reject(new ProgramError("missing", null)));
    child.once("exit", resolve);
  }).finally(() => program.end());
  const late = setTimeout(() => {
    program.kill();
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
  }, PIPES_MS);
  await closed;
  clearTimeout(late);
  return exitCode;
}
