import type { ProgramError } from "./program-error.ts";
import type { ProgramCall } from "./run-directly.ts";

/** What a process tells its launcher. `id` is the caller's name of the run. */
export type ToLauncher =
  | { kind: "run"; id: number; call: ProgramCall }
  | { kind: "abort"; id: number };

/** What a launcher tells its process. The output of a program that has succeeded comes in pieces, then its end. */
export type FromLauncher =
  | { kind: "output"; id: number; bytes: Uint8Array }
  | { kind: "end"; id: number; failure: ProgramFailure | null };

/** A ProgramError on its way between processes. */
export type ProgramFailure = Pick<ProgramError, "reason" | "exitCode" | "stderrTail">;

/** Where a launcher finds the pipe whose other end its process watches. */
export const WITNESS_FD = 4;
