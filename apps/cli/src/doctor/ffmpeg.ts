import { execFile } from "node:child_process";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import type { Config } from "@clipmill/config";
import { findEngine, installEngine } from "./engines.ts";
import { EnvironmentError, UsageError } from "../failure.ts";

export interface Ffmpeg {
  path: string;
  version: string;
  /** `bundled`: from the npm packages, a build of 2018; good enough for the demo's own clips. */
  origin: "installed" | "bundled";
}

const ENGINE = "ffmpeg";
const PLATFORM = `${process.platform}-${process.arch}`;

/** The ffmpeg that FFMPEG_PATH names, with an ffprobe; else the bundled one if it was fetched before; else null. */
export async function findFfmpeg(
  config: Pick<Config, "FFMPEG_PATH" | "CLIPMILL_HOME">,
): Promise<Ffmpeg | null> {
  const path = config.FFMPEG_PATH;
  const probe = isAbsolute(path) ? join(dirname(path), "ffprobe") : "ffprobe";
  const [version, probeVersion] = await Promise.all([readVersion(path), readVersion(probe)]);
  if (version !== null && probeVersion !== null) {
    return { path, version, origin: "installed" };
  }
  const engine = findEngine(config.CLIPMILL_HOME, ENGINE);
  return engine === null ? null : toBundled(engine);
}

/** Of so many starts the quickest counts: what else the machine does can only make one slower. */
const STARTS = 5;

/** How long a program takes to start and end, in ms; null where it does not run. Each post starts ffmpeg. */
export async function measureStartMs(program: string): Promise<number | null> {
  const times: number[] = [];
  for (let count = 0; count < STARTS; count++) {
    const startedAt = performance.now();
    if ((await readVersion(program)) === null) return null;
    times.push(performance.now() - startedAt);
  }
  return Math.min(...times);
}

/** As `findFfmpeg`, but fetches the bundled one where there is none. Throws EnvironmentError, UsageError. */
export async function requireFfmpeg(
  config: Pick<Config, "FFMPEG_PATH" | "CLIPMILL_HOME">,
  notice: (line: string) => void,
): Promise<Ffmpeg> {
  const found = await findFfmpeg(config);
  if (found !== null) return found;
  if (config.FFMPEG_PATH !== "ffmpeg") {
    throw new UsageError(
      `FFMPEG_PATH: ${config.FFMPEG_PATH} does not run, or there is no ffprobe beside it: correct it, or unset it to use the one on PATH`,
    );
  }
  try {
    const engine = await installEngine(config.CLIPMILL_HOME, ENGINE, {
      notice,
      finish: linkPrograms,
    });
    return await toBundled(engine);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EnvironmentError(
      `ffmpeg is not installed (\`apt-get install ffmpeg\` or \`brew install ffmpeg\`), and ${reason}`,
      { cause: error },
    );
  }
}

async function toBundled(engine: string): Promise<Ffmpeg> {
  const path = join(engine, "bin/ffmpeg");
  const version = await readVersion(path);
  if (version === null) throw new EnvironmentError(`the bundled ffmpeg does not run: ${path}`);
  return { path, version, origin: "bundled" };
}

/** Puts both programs side by side, where ffprobe is looked for; one of the packages forgets to mark its as a program. */
async function linkPrograms(engine: string): Promise<void> {
  await mkdir(join(engine, "bin"));
  for (const [program, scope] of [
    ["ffmpeg", "@ffmpeg-installer"],
    ["ffprobe", "@ffprobe-installer"],
  ] as const) {
    const target = join("node_modules", scope, PLATFORM, program);
    await chmod(join(engine, target), 0o755);
    await symlink(join("..", target), join(engine, "bin", program));
  }
}

const run = promisify(execFile);

/** Null: it does not run. */
async function readVersion(program: string): Promise<string | null> {
  try {
    const { stdout } = await run(program, ["-version"]);
    return /version (\S+)/.exec(stdout)?.[1] ?? "unknown";
  } catch {
    return null;
  }
}
