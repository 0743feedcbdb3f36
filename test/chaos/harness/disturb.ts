import { setTimeout as sleep } from "node:timers/promises";
import type { Plan } from "../options.ts";
import type { Callers } from "./callers.ts";
import type { createFaults, FaultKind } from "./faults.ts";
import type { Fleet } from "./fleet.ts";
import type { Load } from "./load.ts";
import type { Random } from "./random.ts";

interface Disturbance {
  fleet: Fleet;
  callers: Callers;
  load: Load;
  random: Random;
  plan: Plan;
  faults: ReturnType<typeof createFaults>;
  say(what: string): void;
}

interface Disturbed {
  kills: number;
  faults: Partial<Record<FaultKind, number>>;
}

/** Their callers may have to ask for long; other faults go on meanwhile. */
const WAITS_FOR_CALLERS: ReadonlySet<FaultKind> = new Set(["poison", "storm"]);
const BURST = 250;
const LAST_ANSWERS_MS = 15_000;

/** Requests, kills and faults side by side, until the minima are met and the least time is over. */
export async function disturb(deps: Disturbance): Promise<Disturbed> {
  const { callers, load, plan } = deps;
  const startedAt = Date.now();
  const kinds = plan.kinds.filter((kind) => deps.faults[kind] !== undefined);
  // Zero, not absent: a fault that could be made and was not is a shortfall.
  const done: Disturbed = {
    kills: 0,
    faults: Object.fromEntries(kinds.map((kind) => [kind, 0])),
  };
  const isEnough = () =>
    callers.promised.size >= plan.minima.requests &&
    done.kills >= plan.minima.kills &&
    kinds.every((kind) => (done.faults[kind] ?? 0) >= plan.minima.faults);
  const goesOn = () => {
    const ms = Date.now() - startedAt;
    return ms < plan.faultsForMs.least || (ms < plan.faultsForMs.most && !isEnough());
  };

  const underWay = new Set<Promise<void>>();
  function follow(work: Promise<void>): void {
    const followed = work.finally(() => underWay.delete(followed));
    underWay.add(followed);
  }
  async function submit(): Promise<void> {
    // More at once than the queues may hold.
    for (let i = 0; i < BURST; i++) follow(load.submit());
    while (goesOn()) {
      follow(load.submit());
      await sleep(1_000 / plan.requestsPerSecond);
    }
  }
  await Promise.all([
    submit(),
    kill(deps, goesOn, done),
    fault({ ...deps, kinds, goesOn, done, follow }),
  ]);
  // Whoever has no answer yet goes on asking; nothing was promised to it.
  await Promise.race([Promise.all(underWay), sleep(LAST_ANSWERS_MS)]);
  return done;
}

async function kill(
  { fleet, random, plan }: Disturbance,
  goesOn: () => boolean,
  done: Disturbed,
): Promise<void> {
  while (goesOn()) {
    await sleep(plan.killEveryMs * (0.5 + random.next()));
    const mortals = fleet.members.filter((member) => !fleet.spared.has(member));
    if (random.pick(mortals).signal("SIGKILL")) done.kills++;
  }
}

interface Faulting extends Disturbance {
  kinds: readonly FaultKind[];
  goesOn(): boolean;
  done: Disturbed;
  follow(work: Promise<void>): void;
}

async function fault({
  random,
  kinds,
  faults,
  say,
  goesOn,
  done,
  follow,
}: Faulting): Promise<void> {
  async function inflict(kind: FaultKind): Promise<void> {
    // One that could not be made is told and does not count: the run falls short where none of its kind is made.
    const reached = await faults[kind]?.().catch((error: unknown) => {
      say(`${kind} failed: ${String(error)}`);
      return false;
    });
    if (reached === true) done.faults[kind] = (done.faults[kind] ?? 0) + 1;
  }
  while (goesOn()) {
    for (const kind of random.shuffle(kinds)) {
      if (!goesOn()) return;
      await sleep(200 + random.between(0, 600));
      say(kind);
      const counted = inflict(kind);
      if (WAITS_FOR_CALLERS.has(kind)) follow(counted);
      else await counted;
    }
  }
}
