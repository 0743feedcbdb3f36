import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { checkDirectories, type Config } from "@clipmill/config";
import { chooseApiPort } from "../up/api-port.ts";
import { findRunState } from "../up/run-state.ts";
import { type Ffmpeg, findFfmpeg, measureStartMs } from "./ffmpeg.ts";
import { type Finding, missing, note, ok } from "./finding.ts";

const MIN_FREE_BYTES = 1_000_000_000;

/** Debian's ffmpeg takes 60 ms or more, since it loads two hundred libraries; one that has its libraries inside, 10. */
const SLOW_START_MS = 40;

export async function examineFfmpeg(config: Config): Promise<Finding> {
  const name = "ffmpeg";
  const found = await findFfmpeg(config);
  const advice = "apt-get install ffmpeg, or brew install ffmpeg";
  if (found === null) {
    return config.FFMPEG_PATH === "ffmpeg"
      ? note(name, "not found; an old one is fetched at the first start", advice)
      : missing(
          name,
          `FFMPEG_PATH: ${config.FFMPEG_PATH} does not run, or there is no ffprobe beside it`,
          "correct FFMPEG_PATH, or unset it",
        );
  }
  if (found.origin === "installed") return await examineStart(found);
  const scope = config.ALLOW_BUNDLED_FFMPEG ? "any file" : "the demo's own clips only";
  return note(name, `${found.version}, bundled and old, for ${scope}`, advice);
}

/** An ffmpeg that starts slowly works, but most of what a short clip costs is that start. */
async function examineStart({ path, version }: Ffmpeg): Promise<Finding> {
  const startMs = Math.round((await measureStartMs(path)) ?? 0);
  if (startMs <= SLOW_START_MS) return ok("ffmpeg", `${version}, starts in ${startMs} ms`);
  return note(
    "ffmpeg",
    `${version}, takes ${startMs} ms to start, which every clip pays`,
    "install a build that has its libraries inside, with its ffprobe, and name it in FFMPEG_PATH; apps/worker/build-ffmpeg.sh makes one",
  );
}

/** That CLIPMILL_HOME and TMPDIR can be written to, and have room. */
export async function examineDirectories(config: Config): Promise<Finding[]> {
  const problems = await checkDirectories(config);
  const places = { CLIPMILL_HOME: config.CLIPMILL_HOME, TMPDIR: tmpdir() };
  return Promise.all(
    (["CLIPMILL_HOME", "TMPDIR"] as const).map(async (variable) => {
      const unfit = problems.find((problem) => problem.variable === variable);
      return unfit === undefined
        ? examineSpace(variable, places[variable])
        : missing(variable, `${unfit.path} ${unfit.problem}`, unfit.remedy);
    }),
  );
}

async function examineSpace(name: string, path: string): Promise<Finding> {
  let directory = path;
  while (!existsSync(directory)) directory = dirname(directory);
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const found = `${path}, can be written to, ${(free / 1e9).toFixed(1)} GB free`;
  if (free >= MIN_FREE_BYTES) return ok(name, found);
  return name === "TMPDIR"
    ? note(name, found, "free 1 GB there, or set TMPDIR")
    : missing(name, found, `free 1 GB there, or set ${name}`);
}

export async function examinePort(config: Config): Promise<Finding> {
  const running = findRunState(config.CLIPMILL_HOME);
  if (running?.apiUrl != null) return ok("API port", `in use by the clipmill at ${running.apiUrl}`);
  const configured = config.PORT === undefined ? null : { port: config.PORT, origin: "PORT" };
  try {
    return ok("API port", `${await chooseApiPort(config.HOST, configured)} is free`);
  } catch (error) {
    return missing("API port", (error as Error).message, "set PORT to a free one");
  }
}
