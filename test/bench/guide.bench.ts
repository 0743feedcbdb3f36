import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasFfmpeg } from "../support/posts/media-fixtures.ts";
import { measureBacklog } from "./guide/parts/backlog.ts";
import { isMet, toBarText, toMeasuredText } from "./guide/bars.ts";
import { type PartResult, toBarsText, toFigures, toTableText } from "./guide/tables.ts";
import { makeClips } from "./guide/clips.ts";
import { measureIdle } from "./guide/parts/idle.ts";
import { measureMix, toMixCounts } from "./guide/parts/mix.ts";
import { findPython } from "./guide/script.ts";
import { type Bench, WARM_UP_POSTS } from "./guide/side.ts";
import { measureSingle } from "./guide/parts/single.ts";
import { type Latencies, startStandIns } from "./guide/stand-ins.ts";
import { measureThroughput } from "./guide/parts/throughput.ts";
import { measureWaiting } from "./guide/parts/waiting.ts";
import { json, numberOption, wordOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { startServers } from "./support/servers.ts";

/**
 * clipmill beside the script that a person would write instead: the steps of a public guide in Python, one after the
 * other and in a pool, on the same posts and the same stand-ins. `--part NAME` runs one part; `--mix` runs media of all
 * kinds instead.
 */
const PARTS = ["throughput", "backlog", "single", "waiting", "idle"] as const;
type Part = (typeof PARTS)[number] | "mix";
const part: Part | null = process.argv.includes("--mix") ? "mix" : wordOption("part", PARTS);

const rounds = numberOption("rounds", 5);
const posts = numberOption("posts", 80);
const backlogRounds = numberOption("backlog-rounds", Math.min(rounds, 2));
const singlePosts = numberOption("single-posts", 25);
const waitingPosts = numberOption("waiting", 10_000);
const waitingSeconds = numberOption("waiting-seconds", 15);
const idleSeconds = numberOption("idle-seconds", 20);
/** Of the stand-ins, where the command line does not say otherwise: none, so that what is measured is the work itself. */
const latencies = toLatencies({ detailMs: 0, gpuMs: 0, answerMs: 0 });
/** The same where posts wait for the GPU. */
const backlogLatencies = toLatencies({ detailMs: 300, gpuMs: 150, answerMs: 800 });
const hasTesseract = spawnSync("tesseract", ["--version"]).status === 0;
const mixCounts = toMixCounts(posts, { hasTesseract });

const RUN: Record<Part, (bench: Bench) => Promise<PartResult>> = {
  throughput: (bench) => measureThroughput(bench, { rounds, posts, latencies }),
  backlog: (bench) =>
    measureBacklog(bench, { rounds: backlogRounds, posts, latencies: backlogLatencies }),
  single: (bench) => measureSingle(bench, { posts: singlePosts, latencies }),
  waiting: (bench) =>
    measureWaiting(bench, {
      posts: waitingPosts,
      seconds: waitingSeconds,
      latencies: backlogLatencies,
    }),
  idle: (bench) => measureIdle(bench, { seconds: idleSeconds }),
  mix: (bench) => measureMix(bench, { rounds, counts: mixCounts, latencies }),
};

function toLatencies({ detailMs, gpuMs, answerMs }: Latencies): Latencies {
  return {
    detailMs: numberOption("detail-ms", detailMs, { mayBeZero: true }),
    gpuMs: numberOption("gpu-ms", gpuMs, { mayBeZero: true }),
    answerMs: numberOption("answer-ms", answerMs, { mayBeZero: true }),
  };
}

async function run(bench: Bench): Promise<PartResult> {
  const results: PartResult[] = [];
  const names: readonly Part[] = part === null ? PARTS : [part];
  for (const name of names) results.push(await RUN[name](bench));
  return {
    tables: results.flatMap(({ tables }) => tables),
    bars: results.flatMap(({ bars }) => bars),
    checks: Object.assign({}, ...results.map(({ checks }) => checks)) as PartResult["checks"],
  };
}

/** For people the figures stand in tables, and at the end the table of the issue. */
function print({ tables, bars, checks }: PartResult, facts: Record<string, string>): void {
  const inWords = bars.map((bar) => [bar.figure, `${toMeasuredText(bar)}, bar ${toBarText(bar)}`]);
  printReport(
    {
      name: part === "mix" ? "guide --mix" : "guide",
      rounds,
      medians: json ? toFigures(tables) : {},
      ratio: null,
      bar: bars.length === 0 ? null : "every line of the table",
      met: bars.length === 0 ? null : bars.every(isMet),
      checks: {
        ...checks,
        stand_ins: "posts, media, speech server, GPU and model are simulated, on loopback",
        ...facts,
        ...(json ? Object.fromEntries(inWords) : {}),
      },
      simulated: true,
    },
    { json },
  );
  if (json) return;
  for (const table of tables) process.stdout.write(`\n${toTableText(table)}\n`);
  if (bars.length > 0) process.stdout.write(`\n${toBarsText(bars)}\n`);
}

async function main(): Promise<void> {
  const python = findPython();
  if (python === null) process.stderr.write("no python3 from 3.8 on: the script is left out\n");
  if (part === "mix" && !hasTesseract)
    process.stderr.write("no tesseract: slideshows and silent posts are left out\n");
  const servers = await startServers();
  const directory = await mkdtemp(join(tmpdir(), "clipmill-guide-"));
  try {
    const clipDirectory = join(directory, "clips");
    const measured = part === "mix" ? mixCounts : { short: Math.max(posts, singlePosts) };
    await makeClips(clipDirectory, { ...measured, warmUp: WARM_UP_POSTS });
    const standIns = await startStandIns({ clipDirectory });
    try {
      print(await run({ servers, standIns, directory, python }), servers.facts);
    } finally {
      await standIns.close();
    }
  } finally {
    await servers.close();
    await rm(directory, { recursive: true, force: true });
  }
}

if (process.platform !== "linux")
  console.log("guide: skipped: it needs Linux, where /proc tells what processes use");
else if (!hasFfmpeg) console.log("guide: skipped: it needs ffmpeg, for the clips and both sides");
else await main();
