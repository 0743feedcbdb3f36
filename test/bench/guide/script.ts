import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { toPostLink } from "./post-ids.ts";

/** What `processes/guide.py` prints. */
export interface ScriptRun {
  posts: number;
  seconds: number;
  /** CPU seconds of the script itself, without the start of Python. */
  ownCpuSeconds: number;
  /** Of the programs that it started. */
  childrenCpuSeconds: number;
  /** What each post took, in seconds, its wait for the GPU included. */
  postSeconds: number[];
}

export type ScriptMode = "serial" | "pool";

/** As the guide has it. */
const THREADS = 20;
const SCRIPT = fileURLToPath(new URL("../processes/guide.py", import.meta.url));
const run = promisify(execFile);

/**
 * The Python program itself, not a shim that would be measured with it; null where there is none, or one before 3.8,
 * which cannot read the script.
 */
export function findPython(): string | null {
  const { status, stdout } = spawnSync(
    "python3",
    ["-c", "import sys; print(sys.executable if sys.version_info >= (3, 8) else '')"],
    { encoding: "utf8" },
  );
  return status === 0 && stdout.trim() !== "" ? stdout.trim() : null;
}

/** Throws where a post failed. */
export async function runScript(
  python: string,
  { origin, ids, mode }: { origin: string; ids: readonly string[]; mode: ScriptMode },
): Promise<ScriptRun> {
  const args = JSON.stringify({ origin, mode, threads: THREADS, links: ids.map(toPostLink) });
  const { stdout } = await run(python, [SCRIPT, args], { maxBuffer: 64 * 1024 * 1024 });
  const report = JSON.parse(stdout) as ScriptRun;
  if (report.posts !== ids.length) throw new Error(`the script did ${report.posts} posts`);
  return report;
}
