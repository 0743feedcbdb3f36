import { ProgramError, runProgram } from "../../programs/run-program.ts";

/** Whether the program runs here, and which release it is; null where it does not. Takes about a second. */
export async function findYtDlp(path: string): Promise<{ path: string; version: string } | null> {
  try {
    const options = { signal: new AbortController().signal, timeoutMs: 20_000 };
    const version = (await runProgram(path, ["--ignore-config", "--version"], options)).trim();
    return { path, version };
  } catch (error) {
    if (error instanceof ProgramError) return null;
    throw error;
  }
}
