import { ConfigError } from "@clipmill/config";
import { ClipmillError } from "@clipmill/domain";

/** The command line or the environment is wrong: the caller must change it. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Something on this machine stops the command. The message says what to do; exit code 1. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";
}

/** Ctrl-C or a signal ended the command before its work was done. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

export function toExitCode(error: unknown): 1 | 2 | 130 {
  if (error instanceof UsageError || error instanceof ConfigError) return 2;
  return error instanceof InterruptedError ? 130 : 1;
}

/** Its thrower has put it into words for a person. */
export function isExplained(error: unknown): error is Error {
  return (
    error instanceof UsageError ||
    error instanceof EnvironmentError ||
    error instanceof InterruptedError ||
    error instanceof ConfigError ||
    error instanceof ClipmillError
  );
}

/** A failure that its thrower explains needs no stack; anything else is a bug, and the stack is what helps. */
export function toMessage(error: unknown): string {
  if (isExplained(error)) return `clipmill: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
