import { median } from "../support/stats.ts";
import {
  type Bench,
  COSTS,
  type CpuPart,
  findSides,
  runSide,
  type Side,
  type SideRun,
} from "./side.ts";
import type { PartResult, Table } from "./tables.ts";

/** All runs of each side, in the order of the columns. */
export type SideRuns = ReadonlyMap<Side, readonly SideRun[]>;

interface RoundsOptions {
  rounds: number;
  sides: readonly Side[];
  ids(side: Side): readonly string[];
  /** What is said after each round. */
  name: string;
  tell(run: SideRun): string;
}

/** All sides in turn, so that what else happens on the machine happens to all of them. */
export async function runRounds(
  bench: Bench,
  { rounds, sides, ids, name, tell }: RoundsOptions,
): Promise<SideRuns> {
  const runs = new Map(findSides(bench, sides).map((side): [Side, SideRun[]] => [side, []]));
  for (let round = 1; round <= rounds; round++) {
    const told: string[] = [];
    for (const [side, all] of runs) {
      const run = await runSide(bench, side, ids(side));
      all.push(run);
      told.push(`${side} ${tell(run)}`);
    }
    process.stderr.write(`${name} ${round}: ${told.join(", ")}\n`);
  }
  return runs;
}

/** NaN where the side was not run. */
export function medianOf(runs: SideRuns, side: Side, read: (run: SideRun) => number): number {
  const all = runs.get(side) ?? [];
  return all.length === 0 ? Number.NaN : median(all.map(read));
}

/** A row of medians, one for each side. */
export function toRow(runs: SideRuns, read: (run: SideRun) => number): number[] {
  return [...runs.keys()].map((side) => medianOf(runs, side, read));
}

/** CPU of all parts that count, in ms a post. */
export function toCpuMs({ cpu, posts }: SideRun): number {
  return (COSTS.reduce((sum, part) => sum + (cpu[part] ?? 0), 0) / posts) * 1_000;
}

/** Speed, what it costs, and what it does to the worker. */
export function toCostTable(title: string, runs: SideRuns): Table {
  const toPartMs = (part: CpuPart) =>
    toRow(runs, ({ cpu, posts }) => ((cpu[part] ?? Number.NaN) / posts) * 1_000);
  const ofWorker = (read: (worker: NonNullable<SideRun["worker"]>) => number) =>
    toRow(runs, ({ worker }) => (worker === null ? Number.NaN : read(worker)));
  return {
    title,
    columns: [...runs.keys()],
    rows: {
      "posts a second": toRow(runs, (run) => run.postsPerSecond),
      "CPU ms a post": toRow(runs, toCpuMs),
      "CPU ms of script or worker": toPartMs("own"),
      "CPU ms of its children": toPartMs("children"),
      "CPU ms of Postgres": toPartMs("postgres"),
      "CPU ms of Redis": toPartMs("redis"),
      "CPU ms of the API": toPartMs("api"),
      "CPU ms of stand-ins, not counted": toPartMs("stand-ins"),
      "worker's loop lag ms p50": ofWorker(({ lag }) => lag.p50Ms),
      "worker's loop lag ms p99": ofWorker(({ lag }) => lag.p99Ms),
      "worker's loop lag ms max": ofWorker(({ lag }) => lag.maxMs),
      "worker's loop busy %": ofWorker(({ lag }) => lag.utilization * 100),
      "worker's peak RSS MB": ofWorker(({ peakBytes }) => peakBytes / 1e6),
    },
  };
}

/** Of what the machine used; the rest is the kernel's, and what was started and ended with nobody to wait for it. */
const EXPLAINED_MIN_PERCENT = 75;

/** What the figures rest on: no sound came twice, so no cache helped, and what else used the machine. */
export function toChecks(name: string, runs: SideRuns): PartResult["checks"] {
  const all = [...runs.values()].flat();
  const shares = all.map(({ explainedShare }) => explainedShare * 100);
  const [least, most] = [Math.min(...shares), Math.max(...shares)];
  const isDisturbed = least < EXPLAINED_MIN_PERCENT;
  return {
    [`${name}_sounds_heard_once`]: all.every(
      ({ standIns }) => standIns.distinctSounds === standIns.clips,
    ),
    [`${name}_cpu_of_machine`]: `the parts are ${least.toFixed()} to ${most.toFixed()} % of it${isDisturbed ? ": other programs were at work, so this is no measurement" : ""}`,
  };
}
