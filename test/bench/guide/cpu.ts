import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second in which Linux counts, on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of a process since its start, user and system. */
export interface ProcessCpu {
  own: number;
  /** Of all that it started and that they started in turn, alive or ended and waited for. */
  children: number;
}

interface Stat {
  parent: number;
  own: number;
  waitedFor: number;
}

/** From /proc/<pid>/stat, whose second field may hold anything, spaces and brackets too. */
function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = (at: number) => Number(fields[at]);
  return {
    parent: ticks(1),
    own: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
    waitedFor: (ticks(13) + ticks(14)) / TICKS_PER_SECOND,
  };
}

function readStats(): Map<number, Stat> {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      stats.set(Number(name), parseStat(readFileSync(`/proc/${name}/stat`, "latin1")));
    } catch {
      // It has ended in between; whoever waited for it has its time.
    }
  }
  return stats;
}

/** Of several processes, by name. */
export type CpuReading = Record<string, ProcessCpu>;

/**
 * What processes and everything below them have used so far; a process that is gone is left out. The time of one that has
 * ended is with its parent as soon as that has waited for it, so differences of two readings miss nothing but what no
 * parent waits for.
 */
export function readCpu(pids: Readonly<Record<string, number>>): CpuReading {
  const stats = readStats();
  const childrenOf = new Map<number, number[]>();
  for (const [pid, { parent }] of stats)
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid]);
  const sumBelow = (pid: number): number =>
    (childrenOf.get(pid) ?? []).reduce((sum, child) => {
      const { own = 0, waitedFor = 0 } = stats.get(child) ?? {};
      return sum + own + waitedFor + sumBelow(child);
    }, 0);
  return Object.fromEntries(
    Object.entries(pids).flatMap(([name, pid]) => {
      const stat = stats.get(pid);
      if (stat === undefined) return [];
      return [[name, { own: stat.own, children: stat.waitedFor + sumBelow(pid) }]];
    }),
  );
}

/** What was used between two readings of the same processes. Throws where one has ended in between. */
export function subtractCpu(after: CpuReading, before: CpuReading): CpuReading {
  return Object.fromEntries(
    Object.entries(before).map(([name, { own, children }]) => {
      const now = after[name];
      if (now === undefined) throw new Error(`${name} ended while it was measured`);
      return [name, { own: now.own - own, children: now.children - children }];
    }),
  );
}

/** CPU seconds of the whole machine since its start, idle and stolen time left out. */
export function readMachineCpu(): number {
  const [first = ""] = readFileSync("/proc/stat", "latin1").split("\n");
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = first
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

/** Resident bytes of a process now, and the most that it ever had. */
export function readMemory(pid: number): { rssBytes: number; peakBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const read = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) * 1_024;
  return { rssBytes: read("VmRSS"), peakBytes: read("VmHWM") };
}
