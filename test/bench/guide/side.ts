import { readFileSync } from "node:fs";
import type { LoopLag } from "../processes/loop-lag.ts";
import { type BenchServers, readRedisPid } from "../support/servers.ts";
import { type Clipmill, type Shape, startClipmill } from "./clipmill.ts";
import { type CpuReading, readCpu, readMachineCpu, readMemory, subtractCpu } from "./cpu.ts";
import { parsePostId, POST_KINDS, toPostIds, WORDLESS_SECONDS } from "./post-ids.ts";
import { runScript, type ScriptMode } from "./script.ts";
import type { StandInReport, StandIns } from "./stand-ins.ts";

/** What all parts of the benchmark are run with. */
export interface Bench {
  servers: BenchServers;
  standIns: StandIns;
  /** For the files of those that are measured. */
  directory: string;
  /** Null where there is none: then only clipmill is measured. */
  python: string | null;
}

/** Who is measured. */
export type Side = "guide serial" | "guide pool" | "clipmill redis" | "clipmill embedded";

/** Who uses CPU: `own` is the script or the worker, `children` is what that starts, with what they start in turn. */
export const COSTS = ["own", "children", "postgres", "redis", "api"] as const;
/** Not part of what a post costs. */
const OTHERS = ["stand-ins", "bench"] as const;
export type CpuPart = (typeof COSTS)[number] | (typeof OTHERS)[number];

/** One run of one side over a list of posts. */
export interface SideRun {
  posts: number;
  postsPerSecond: number;
  /** CPU seconds by who used them; absent where a side has no such part. */
  cpu: Partial<Record<CpuPart, number>>;
  /** The part of what the machine used meanwhile that `cpu` explains, 0 to 1: low where something else ran. */
  explainedShare: number;
  standIns: StandInReport;
  /** Of clipmill alone. */
  worker: { lag: LoopLag; peakBytes: number } | null;
}

/** Posts that a fresh worker does first: code that was never run says nothing about a service that is up for days. */
export const WARM_UP_POSTS = 6;

export function runSide(bench: Bench, side: Side, ids: readonly string[]): Promise<SideRun> {
  switch (side) {
    case "guide serial":
      return runGuide(bench, ids, "serial");
    case "guide pool":
      return runGuide(bench, ids, "pool");
    case "clipmill redis":
      return runClipmill(bench, ids, "redis");
    case "clipmill embedded":
      return runClipmill(bench, ids, "embedded");
  }
}

/** Those of these that can be measured here. */
export function findSides({ python }: Bench, sides: readonly Side[]): Side[] {
  return sides.filter((side) => python !== null || !side.startsWith("guide"));
}

async function runGuide(
  { standIns, python }: Bench,
  ids: readonly string[],
  mode: ScriptMode,
): Promise<SideRun> {
  if (python === null) throw new Error("there is no Python");
  await standIns.reset();
  const before = readOutside({ standIns });
  const run = await runScript(python, { origin: standIns.url, ids, mode });
  const outside = subtractOutside(readOutside({ standIns }), before);
  const cpu = { own: run.ownCpuSeconds, children: run.childrenCpuSeconds, ...outside.cpu };
  return {
    posts: ids.length,
    postsPerSecond: ids.length / run.seconds,
    cpu,
    explainedShare: sum(cpu) / outside.machine,
    standIns: await standIns.report(),
    worker: null,
  };
}

async function runClipmill(bench: Bench, ids: readonly string[], shape: Shape): Promise<SideRun> {
  const { servers, standIns, directory } = bench;
  const options = { servers, shape, standInsUrl: standIns.url, directory };
  const clipmill = await startClipmill({ ...options, measuresLag: true });
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
    const cpu = { ...toCpu(parts), ...outside.cpu };
    const lag = await clipmill.readLag();
    const { peakBytes } = readMemory(clipmill.pids.worker);
    const report = await standIns.report();
    await clipmill.checkResults(ids, hasSpeech);
    return {
      posts: ids.length,
      postsPerSecond: (ids.length / (endedAt - startedAt)) * 1_000,
      cpu,
      explainedShare: sum(cpu) / outside.machine,
      standIns: report,
      worker: { lag, peakBytes },
    };
  } finally {
    await clipmill.close();
  }
}

/** The first posts of a fresh worker. */
export async function warmUp(clipmill: Clipmill): Promise<void> {
  await clipmill.submit(toPostIds("warmUp", WARM_UP_POSTS));
  await clipmill.untilDone();
}

function hasSpeech(id: string): boolean {
  const post = parsePostId(id);
  return post !== undefined && POST_KINDS[post.kind].seconds !== WORDLESS_SECONDS;
}

/** Who works for clipmill, by `CpuPart` but for `worker`; without a Redis that is elsewhere, or in a container. */
export async function toPids(
  { servers }: Pick<Bench, "servers">,
  { pids }: Clipmill,
  shape: Shape,
): Promise<Record<string, number>> {
  const parts = { ...pids, postgres: servers.postgresPid };
  if (shape === "embedded") return parts;
  const redis = await readRedisPid(servers.redisUrl);
  return isRedis(redis) ? { ...parts, redis } : parts;
}

function isRedis(pid: number): boolean {
  try {
    return /^(redis|valkey)-server/.test(readFileSync(`/proc/${pid}/comm`, "latin1"));
  } catch {
    return false;
  }
}

/** A worker's children apart from itself; what a server starts is the server. */
export function toCpu({ worker, ...servers }: CpuReading): SideRun["cpu"] {
  const entries = Object.entries(servers).map(([name, { own, children }]) => [
    name,
    own + children,
  ]);
  return { ...worker, ...Object.fromEntries(entries) };
}

interface Outside {
  cpu: Record<(typeof OTHERS)[number], number>;
  machine: number;
}

function readOutside({ standIns }: Pick<Bench, "standIns">): Outside {
  const { user, system } = process.cpuUsage();
  const { own = Number.NaN } = readCpu({ standIns: standIns.pid })["standIns"] ?? {};
  return { cpu: { "stand-ins": own, bench: (user + system) / 1e6 }, machine: readMachineCpu() };
}

function subtractOutside(after: Outside, before: Outside): Outside {
  return {
    cpu: {
      "stand-ins": after.cpu["stand-ins"] - before.cpu["stand-ins"],
      bench: after.cpu.bench - before.cpu.bench,
    },
    machine: after.machine - before.machine,
  };
}

function sum(cpu: Partial<Record<CpuPart, number>>): number {
  return Object.values(cpu).reduce((total, seconds) => total + seconds, 0);
}
