import { toProgramEnv } from "../../programs/program-env.ts";
import { ProgramError, runProgram } from "../../programs/run-program.ts";
import { TESSERACT_ENV } from "./create-tesseract.ts";

/** The program's version, if it runs here and has English data; null otherwise. */
export async function findTesseract(
  path: string,
): Promise<{ path: string; version: string } | null> {
  const env = toProgramEnv(TESSERACT_ENV);
  const options = { signal: new AbortController().signal, timeoutMs: 10_000, env };
  try {
    const version = /^tesseract v?(\S+)/.exec(await runProgram(path, ["--version"], options))?.[1];
    const languages = await runProgram(path, ["--list-langs"], options);
    const hasEnglish = languages.split("\n").some((line) => line.trim() === "eng");
    return version !== undefined && hasEnglish ? { path, version } : null;
  } catch (error) {
    if (error instanceof ProgramError) return null;
    throw error;
  }
}
