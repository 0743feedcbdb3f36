import { parseArgs } from "node:util";
import type { QueueBackend } from "@clipmill/queue";
import { FAULT_KINDS, type FaultKind } from "./harness/faults.ts";
import type { Mixture } from "./harness/load.ts";
import { type Control, CONTROLS } from "./processes/arguments.ts";

/** What a run must have done to prove anything; below any of these it fails. */
export interface Minima {
  requests: number;
  kills: number;
  /** Of each kind of fault that this machine can produce. */
  faults: number;
  /** Requests that stages submitted. */
  children: number;
  /** Jobs that waited and were ended by an answer. */
  resolvedWaits: number;
  /** Those whose time was over. */
  timedOutWaits: number;
  /** Answers that nobody waited for any more, or not yet. */
  staleAnswers: number;
}

export interface Plan {
  minima: Minima;
  /** Faults go on for at least, and at most, this long. */
  faultsForMs: { least: number; most: number };
  requestsPerSecond: number;
  mixture: Mixture;
  killEveryMs: number;
  /** Made in turn, in an order by chance; those that this machine or backend has not are left out. */
  kinds: readonly FaultKind[];
  /** Where nothing has ended for this long, what is open is lost. Before that there is no verdict: slow is not lost. */
  stalledAfterMs: number;
}

export interface ChaosOptions {
  /** What BullMQ runs on. Default: redis, which then must be installed. */
  backend: QueueBackend["kind"];
  seed: number;
  plan: Plan;
  /** Protections to take out, each in a run of its own. Empty: an ordinary run. */
  controls: readonly Control[];
  /** Other programs that keep the processors busy beside the run. */
  beside: number;
  /** Leaves the directory of logs and data, and says where. */
  keep: boolean;
}

const DEFAULT: Plan = {
  minima: {
    requests: 2_000,
    kills: 100,
    faults: 3,
    children: 150,
    resolvedWaits: 100,
    timedOutWaits: 100,
    staleAnswers: 50,
  },
  faultsForMs: { least: 115_000, most: 150_000 },
  requestsPerSecond: 17,
  mixture: { crawlEvery: 90, askEvery: 6 },
  killEveryMs: 1_200,
  kinds: FAULT_KINDS,
  stalledAfterMs: 30_000,
};

/** For a run with a protection taken out: few faults, each of which one of the controls needs. */
export const CONTROL: Plan = {
  minima: {
    requests: 200,
    kills: 5,
    faults: 1,
    children: 30,
    resolvedWaits: 8,
    timedOutWaits: 15,
    staleAnswers: 5,
  },
  faultsForMs: { least: 18_000, most: 26_000 },
  requestsPerSecond: 16,
  // Many crawls, so that workers die with one in hand.
  mixture: { crawlEvery: 35, askEvery: 6 },
  killEveryMs: 1_100,
  kinds: ["flush", "pause", "block", "strand"],
  stalledAfterMs: 12_000,
};

const SHORT: Plan = {
  minima: {
    requests: 400,
    kills: 20,
    faults: 1,
    children: 25,
    resolvedWaits: 10,
    timedOutWaits: 20,
    staleAnswers: 10,
  },
  faultsForMs: { least: 26_000, most: 60_000 },
  requestsPerSecond: 8,
  mixture: { crawlEvery: 40, askEvery: 6 },
  killEveryMs: 1_200,
  kinds: FAULT_KINDS,
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
      control: { type: "string", multiple: true },
      beside: { type: "string", default: "0" },
      keep: { type: "boolean", default: false },
    },
  });
  const seed =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error("--seed wants a whole number");
  const { backend } = values;
  if (backend !== "redis" && backend !== "postgres")
    throw new Error("--backend wants redis or postgres");
  const beside = Number(values.beside);
  if (!Number.isSafeInteger(beside) || beside < 0) throw new Error("--beside wants a whole number");
  const plan = values.short ? SHORT : DEFAULT;
  return {
    backend,
    seed,
    plan: values.minutes === undefined ? plan : toLongPlan(plan, Number(values.minutes)),
    controls: values.controls ? CONTROLS : (values.control ?? []).map(toControl),
    beside,
    keep: values.keep,
  };
}

function toControl(name: string): Control {
  const control = CONTROLS.find((known) => known === name);
  if (control === undefined) throw new Error(`--control wants one of ${CONTROLS.join(", ")}`);
  return control;
}

function toLongPlan(plan: Plan, minutes: number): Plan {
  if (!(minutes > 0)) throw new Error("--minutes wants a number above 0");
  return { ...plan, faultsForMs: { least: minutes * 60_000, most: minutes * 60_000 } };
}
