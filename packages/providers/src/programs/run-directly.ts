import { once } from "node:events";
import { ProgramError } from "./program-error.ts";
import { type ProgramLimits, type StartedProgram, startProgram } from "./start-program.ts";

/** All that it takes to run a program once; it can be sent to another process. */
export interface ProgramCall extends ProgramLimits {
  path: string;
  args: readonly string[];
  /** The program's whole environment. */
  env: Readonly<Record<string, string>>;
  /** Kills the program with all that it started, and rejects with ProgramError `timeout`. */
  timeoutMs: number;
  /** Most of stdout that is taken; a program that writes more is killed. */
  maxOutputBytes: number;
}

const STDERR_TAIL_CHARS = 2_000;

/** What the shell exits with when there is nothing to become, or nothing that may be run. */
const NOT_STARTED: readonly (number | null)[] = [126, 127];

/** After the program's end its output is waited for this long. Who still holds the pipe then was started by it. */
const PIPES_MS = 1_000;

/** Runs a program as a child of this process and returns its stdout. See `runProgram` for how it ends. */
export async function runDirectly(call: ProgramCall, signal: AbortSignal): Promise<Buffer> {
  signal.throwIfAborted();
  const program = startProgram(call);
  let fault: "timeout" | "output" | undefined;
  const stop = (why: typeof fault): void => {
    fault ??= why;
    program.kill();
  };
  const onAbort = (): void => program.kill();
  const timer = setTimeout(stop, call.timeoutMs, "timeout");
  signal.addEventListener("abort", onAbort, { once: true });
  const output = collect(program, call.maxOutputBytes, () => stop("output"));
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
  return { stdout: () => Buffer.concat(chunks), stderrTail: () => stderrTail };
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
