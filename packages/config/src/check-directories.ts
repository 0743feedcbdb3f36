import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Config } from "./config.ts";

/** Why clipmill cannot work in a directory that a variable names. */
export interface DirectoryProblem {
  variable: "CLIPMILL_HOME" | "TMPDIR";
  path: string;
  /** What follows the path, such as `does not exist`. */
  problem: string;
  remedy: string;
  /** True: it may be well again without anybody changing a setting, as a full disk may. */
  mayPass: boolean;
}

/** The same as one sentence about the variable, for a program that does not start because of it. */
export function toDirectoryRefusal({ variable, path, problem, remedy }: DirectoryProblem): string {
  return `${variable}: ${path} ${problem}. Fix it: ${remedy}`;
}

/** Written for the trial: what is less than this is as good as full. */
const TRIAL_BYTES = 1_000_000;

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "is not a directory",
  EEXIST: "is a file, not a directory",
  EACCES: "is not this user's to write to",
  EPERM: "is not this user's to write to",
  EROFS: "is on a file system that is read-only",
  ENOSPC: "has no space left",
  EDQUOT: "has no space left for this user",
};

/**
 * Writes to CLIPMILL_HOME, which is made where it is missing, to the folders of media and logs in it, and to the
 * directory for temporary files; leaves nothing there. Empty: all of it works.
 */
export async function checkDirectories({
  CLIPMILL_HOME: home,
}: Pick<Config, "CLIPMILL_HOME">): Promise<DirectoryProblem[]> {
  const temporary = tmpdir();
  const [inHome, inTemporary] = await Promise.all([
    findHomeFailure(home),
    findFailure(() => tryWriting(temporary), temporary),
  ]);
  const problems: DirectoryProblem[] = [];
  if (inHome !== null) {
    problems.push({
      variable: "CLIPMILL_HOME",
      ...inHome,
      remedy: inHome.mayPass
        ? "free some, or set CLIPMILL_HOME to a directory on another disk"
        : "set CLIPMILL_HOME to a directory of your own, or start as the user that this one belongs to",
    });
  }
  if (inTemporary !== null) {
    problems.push({
      variable: "TMPDIR",
      ...inTemporary,
      remedy: inTemporary.mayPass
        ? "free some, or set TMPDIR to a directory on another disk"
        : "set TMPDIR to a directory that exists and that this user may write to, or unset it",
    });
  }
  return problems;
}

type Failure = Pick<DirectoryProblem, "path" | "problem" | "mayPass">;

async function findHomeFailure(home: string): Promise<Failure | null> {
  const made = await findFailure(async () => {
    await mkdir(home, { recursive: true, mode: 0o700 });
    await tryWriting(home);
  }, home);
  if (made !== null) return made;
  for (const folder of ["media", "logs"]) {
    const path = join(home, folder);
    if ((await stat(path).catch(() => null)) === null) continue;
    const failure = await findFailure(() => tryWriting(path), path);
    if (failure !== null) return failure;
  }
  return null;
}

async function tryWriting(directory: string): Promise<void> {
  const trial = await mkdtemp(join(directory, ".clipmill-trial-"));
  try {
    await writeFile(join(trial, "trial"), Buffer.alloc(TRIAL_BYTES));
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}

/** Throws what is no answer of the file system. */
async function findFailure(work: () => Promise<void>, path: string): Promise<Failure | null> {
  try {
    await work();
    return null;
  } catch (error) {
    const { code = "", path: at = path } = error as NodeJS.ErrnoException;
    if (!/^E[A-Z0-9]+$/.test(code)) throw error;
    const problem = PROBLEMS[code] ?? `cannot be written to (${code})`;
    // mkdir names the part of the path that failed, mkdtemp the trial inside of it.
    const isAbove = path.startsWith(`${at}/`) || at === dirname(path);
    const where = isAbove && code !== "ENOENT" ? `cannot be made: ${at} ${problem}` : problem;
    return { path, problem: where, mayPass: code === "ENOSPC" || code === "EDQUOT" };
  }
}
