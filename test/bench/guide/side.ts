import type { LoopLag } from "../processes/loop-lag.ts";
import { type BenchServers, readRedisPid } from "../support/servers.ts";
import { type Clipmill, type Shape, startClipmill } from "./clipmill.ts";
import { type ProcessCpu, readCpu, readMachineCpu, readMemory, subtractCpu } from "./cpu.ts";
import { parsePostId, toPostIds, WORDLESS_SECONDS, POST_KINDS } from "./post-ids.ts";
import { runScript, type ScriptMode } from "./script.ts";
import type { StandInReport, StandIns } from "./stand-ins.ts";

/** What all parts of the benchmark are run with. */
export interface Bench {
  servers: BenchServers;
  standIns: StandIns;
  /** For the files of those that are measured. */
  directory: string;
  /** Null where there is none, or no ffmpeg: then only clipmill is measured. */
  python: string | null;
}

/** One run of one side over a list of posts. */
export interface SideRun {
  postsPerSecond: number;
  /** CPU seconds, by who used them. */
  cpu: Record<string, number>;
  /** The sum of `cpu` over the posts, in ms, without the stand-ins and this program. */
  cpuMsPerPost: number;
  /** The part of what the machine used meanwhile that `cpu` explains, 0 to 1: low where something else ran. */
  explainedShare: number;
  standIns: StandInReport;
  /** Of clipmill alone. */
  worker: { lag: LoopLag; peakBytes: number } | null;
}

/** Posts that a fresh worker does first: code that was never run says nothing about a service that is up for days. */
const WARM_UP_POSTS = 6;
/** Their numbers lie beyond those of all measured posts. */
const WARM_UP_FROM = 900_000;
/** Not part of what a post costs. */
const OTHERS: readonly string[] = ["stand-ins", "bench"];

export async function runGuide(
  { standIns, python }: Bench,
  ids: readonly string[],
  mode: ScriptMode,
): Promise<SideRun> {
  if (python === null) throw new Error("there is no Python");
  await standIns.reset();
  const before = readOutside({ standIns });
  const run = await runScript(python, { origin: standIns.url, ids, mode });
  const outside = subtractOutside(readOutside({ standIns }), before);
  const cpu = {
    script: run.ownCpuSeconds,
    "script's children": run.childrenCpuSeconds,
    ...outside.cpu,
  };
  return {
    postsPerSecond: ids.length / run.seconds,
    ...toShares(cpu, outside.machine, ids.length),
    standIns: await standIns.report(),
    worker: null,
  };
}

export async function runClipmill(
  bench: Bench,
  ids: readonly string[],
  shape: Shape,
): Promise<SideRun> {
  const { servers, standIns, directory } = bench;
  const clipmill = await startClipmill({
    ...{ servers, shape, standInsUrl: standIns.url, directory },
    measuresLag: true,
  });
  try {
    await warmUp(clipmill);
    await standIns.reset();
    await clipmill.resetLag();
    const pids = await toPids(bench, clipmill, shape);
    const [before, partsBefore] = [readOutside(bench), readCpu(pids)];
    const startedAt = await clipmill.submit(ids);
    const endedAt = await clipmill.untilDone();
    const parts = subtractCpu(readCpu(pids), partsBefore);
    const outside = subtractOutside(readOutside(bench), before);
    const lag = await clipmill.readLag();
    const { peakBytes } = readMemory(clipmill.pids.worker);
    const report = await standIns.report();
    await clipmill.checkResults(ids, hasSpeech);
    return {
      postsPerSecond: (ids.length / (endedAt - startedAt)) * 1_000,
      ...toShares({ ...toCpu(parts), ...outside.cpu }, outside.machine, ids.length),
      standIns: report,
      worker: { lag, peakBytes },
    };
  } finally {
    await clipmill.close();
  }
}

/** The first posts of a fresh worker. */
export async function warmUp(clipmill: Clipmill): Promise<void> {
  await clipmill.submit(toPostIds("short", WARM_UP_POSTS, WARM_UP_FROM));
  await clipmill.untilDone();
}

export function hasSpeech(id: string): boolean {
  const post = parsePostId(id);
  return post !== undefined && POST_KINDS[post.kind].seconds !== WORDLESS_SECONDS;
}

export type ClipmillPart = "worker" | "api" | "postgres" | "redis";

/** Who works for clipmill; without Redis where that is not ours to look at, as in a container. */
export async function toPids(
  { servers }: Pick<Bench, "servers">,
  { pids }: Clipmill,
  shape: Shape,
): Promise<Record<string, number>> {
  const parts: Record<string, number> = { ...pids, postgres: servers.postgresPid };
  if (shape === "redis") parts["redis"] = await readRedisPid(servers.redisUrl);
  return parts;
}

/** A worker's children apart from itself; a server's are the server. */
export function toCpu(parts: Record<string, ProcessCpu>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(parts).flatMap(([name, { own, children }]): [string, number][] =>
      name === "worker"
        ? [
            ["worker", own],
            ["worker's children", children],
          ]
        : [[name, own + children]],
    ),
  );
}

interface Outside {
  cpu: Record<string, number>;
  machine: number;
}

function readOutside({ standIns }: Pick<Bench, "standIns">): Outside {
  const { user, system } = process.cpuUsage();
  const cpu = {
    "stand-ins": readCpu({ pid: standIns.pid }).pid.own,
    bench: (user + system) / 1e6,
  };
  return { cpu, machine: readMachineCpu() };
}

function subtractOutside(after: Outside, before: Outside): Outside {
  const entries = Object.entries(after.cpu);
  return {
    cpu: Object.fromEntries(entries.map(([name, s]) => [name, s - (before.cpu[name] ?? 0)])),
    machine: after.machine - before.machine,
  };
}

function toShares(
  cpu: Record<string, number>,
  machine: number,
  posts: number,
): Pick<SideRun, "cpu" | "cpuMsPerPost" | "explainedShare"> {
  const sum = (names: readonly string[]) =>
    names.reduce((total, name) => total + (cpu[name] ?? 0), 0);
  const names = Object.keys(cpu);
  const own = names.filter((name) => !OTHERS.includes(name));
  return {
    cpu,
    cpuMsPerPost: (sum(own) / posts) * 1_000,
    explainedShare: sum(names) / machine,
  };
}
