import { parseArgs } from "node:util";
import type { QueueBackend } from "@clipmill/queue";

/** What a run must have done to prove anything; below any of these it fails. */
export interface Minima {
  requests: number;
  kills: number;
  /** Of each kind of fault that this machine can produce. */
  faults: number;
}

export interface Plan {
  minima: Minima;
  /** Faults go on for at least, and at most, this long. */
  faultsForMs: { least: number; most: number };
  requestsPerSecond: number;
  killEveryMs: number;
  /** At rest is who makes no progress for this long. */
  stalledAfterMs: number;
}

export interface ChaosOptions {
  /** What BullMQ runs on. Default: redis, which then must be installed. */
  backend: QueueBackend["kind"];
  seed: number;
  plan: Plan;
  controls: boolean;
  /** Leaves the directory of logs and data, and says where. */
  keep: boolean;
}

const DEFAULT: Plan = {
  minima: { requests: 2_000, kills: 100, faults: 3 },
  faultsForMs: { least: 115_000, most: 180_000 },
  requestsPerSecond: 24,
  killEveryMs: 1_200,
  stalledAfterMs: 30_000,
};

export const SHORT: Plan = {
  minima: { requests: 400, kills: 25, faults: 1 },
  faultsForMs: { least: 30_000, most: 60_000 },
  requestsPerSecond: 16,
  killEveryMs: 1_100,
  stalledAfterMs: 20_000,
};

/** Throws on what it does not know. */
export function parseOptions(args: readonly string[]): ChaosOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      backend: { type: "string", default: "redis" },
      seed: { type: "string" },
      minutes: { type: "string" },
      short: { type: "boolean", default: false },
      controls: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
    },
  });
  const seed =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error("--seed wants a whole number");
  const { backend } = values;
  if (backend !== "redis" && backend !== "postgres")
    throw new Error("--backend wants redis or postgres");
  const plan = values.short ? SHORT : DEFAULT;
  return {
    backend,
    seed,
    plan: values.minutes === undefined ? plan : toLongPlan(plan, Number(values.minutes)),
    controls: values.controls,
    keep: values.keep,
  };
}

function toLongPlan(plan: Plan, minutes: number): Plan {
  if (!(minutes > 0)) throw new Error("--minutes wants a number above 0");
  return { ...plan, faultsForMs: { least: minutes * 60_000, most: minutes * 60_000 } };
}
