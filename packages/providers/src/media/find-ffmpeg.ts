import { access, chmod, constants } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { ProgramError, runProgram } from "../run-program.ts";

export interface FoundFfmpeg {
  ffmpegPath: string;
  ffprobePath: string;
  /** As the program tells it, such as `5.1.9-0+deb12u1`. */
  version: string;
  /** The old build that comes with clipmill: good enough for the demo's clips, not for files of strangers. */
  bundled: boolean;
}

const VERSION_TIMEOUT_MS = 10_000;

/** The ffmpeg at `ffmpegPath` (a name is looked for on PATH) with the ffprobe beside it, else the bundled pair, else null. */
export async function findFfmpeg({
  ffmpegPath,
}: {
  ffmpegPath: string;
}): Promise<FoundFfmpeg | null> {
  const beside =
    basename(ffmpegPath) === ffmpegPath ? "ffprobe" : join(dirname(ffmpegPath), "ffprobe");
  const own = await tryPair(ffmpegPath, beside);
  if (own !== null) return { ...own, bundled: false };
  const bundled = await findBundled();
  const pair = bundled === null ? null : await tryPair(bundled.ffmpegPath, bundled.ffprobePath);
  return pair === null ? null : { ...pair, bundled: true };
}

async function tryPair(
  ffmpegPath: string,
  ffprobePath: string,
): Promise<Omit<FoundFfmpeg, "bundled"> | null> {
  const version = await findVersion(ffmpegPath);
  if (version === null || (await findVersion(ffprobePath)) === null) return null;
  return { ffmpegPath, ffprobePath, version };
}

async function findVersion(path: string): Promise<string | null> {
  try {
    const text = await runProgram(path, ["-version"], {
      signal: new AbortController().signal,
      timeoutMs: VERSION_TIMEOUT_MS,
    });
    return /^ff(?:mpeg|probe) version (\S+)/.exec(text)?.[1] ?? null;
  } catch (error) {
    if (error instanceof ProgramError) return null;
    throw error;
  }
}

async function findBundled(): Promise<{ ffmpegPath: string; ffprobePath: string } | null> {
  const require = createRequire(import.meta.url);
  const load = (name: string) => (require(name) as { path: string }).path;
  try {
    const ffmpegPath = load("@ffmpeg-installer/ffmpeg");
    const ffprobePath = load("@ffprobe-installer/ffprobe");
    for (const path of [ffmpegPath, ffprobePath]) await makeExecutable(path);
    return { ffmpegPath, ffprobePath };
  } catch {
    // Optional packages: they are missing, have no build for this platform, or lie where we may not chmod.
    return null;
  }
}

/** Their install scripts would do this, but no package may run one here. */
async function makeExecutable(path: string): Promise<void> {
  await access(path, constants.X_OK).catch(() => chmod(path, 0o755));
}
