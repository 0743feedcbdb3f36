import { findLauncher } from "./launcher.ts";
import { toProgramEnv } from "./program-env.ts";
import { type ProgramCall, runDirectly } from "./run-directly.ts";

export { ProgramError } from "./program-error.ts";

export interface ProgramOptions
  extends
    Pick<ProgramCall, "timeoutMs" | "maxMemoryBytes" | "maxFileBytes">,
    Partial<Pick<ProgramCall, "env" | "maxOutputBytes">> {
  signal: AbortSignal;
}

const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

/**
 * Runs a program with an argument array, no shell and no stdin, and returns its stdout as text. It settles only once the
 * program is gone, with all that it started, so whoever awaits it leaves no process behind. An abort rejects with the
 * signal's reason, anything else that goes wrong with a ProgramError. By default at most 8 MiB of stdout are taken, and
 * the program's environment is what any program needs, with no key of ours (`toProgramEnv`).
 */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<string> {
  const { signal, ...limits } = options;
  const defaults = { env: toProgramEnv(), maxOutputBytes: MAX_OUTPUT_BYTES };
  const call = { ...defaults, ...limits, path, args };
  const run = findLauncher()?.run ?? runDirectly;
  return (await run(call, signal)).toString("utf8");
}
