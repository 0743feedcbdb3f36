import { setTimeout as sleep } from "node:timers/promises";
import type { Plan } from "../options.ts";
import type { Callers } from "./callers.ts";
import type { createFaults, FaultKind } from "./faults.ts";
import type { Fleet } from "./fleet.ts";
import type { Load } from "./load.ts";
import { toSlowness } from "./pace.ts";
import type { Random } from "./random.ts";
import { type Disturbed, type Figures, findShortfalls } from "./verdict/shortfalls.ts";

interface Disturbance {
  fleet: Fleet;
  callers: Callers;
  load: Load;
  random: Random;
  plan: Plan;
  faults: ReturnType<typeof createFaults>;
  /** Jobs that have ended so far. */
  countEnded(): Promise<number>;
  /** Pids of workers whose end would condemn the job that they run alone, by whomever they are killed. */
  findLastChances(): Promise<ReadonlySet<number>>;
  /** What the run has done so far. */
  readFigures(disturbed: Disturbed): Promise<Figures>;
  say(what: string): void;
}

/** Their callers may have to ask for long; other faults go on meanwhile. */
const WAITS_FOR_CALLERS: ReadonlySet<FaultKind> = new Set(["poison", "storm"]);
const BURST = 250;
/** Of the fleet, without which nobody else is killed. */
const READY_SHARE = 2 / 3;
const LAST_ANSWERS_MS = 15_000;
const MOVES_WITHIN_MS = 20_000;
/** Postgres may be stopped just now. */
const KNOWN_WITHIN_MS = 500;
const NOBODY: ReadonlySet<number> = new Set();
const LOOK_EVERY_MS = 1_000;
const ENDED_LOOK_EVERY_MS = 250;

/** Requests, kills and faults side by side, until the minima are met and the least time is over. */
export async function disturb(deps: Disturbance): Promise<Disturbed> {
  const { fleet, load, plan } = deps;
  const startedAt = Date.now();
  const kinds = plan.kinds.filter((kind) => deps.faults[kind] !== undefined);
  // Zero, not absent: a fault that could be made and was not is a shortfall.
  const done: Disturbed = {
    kills: 0,
    faults: Object.fromEntries(kinds.map((kind) => [kind, 0])),
  };
  let isEnough = false;
  const goesOn = () => {
    const { least, most } = plan.faultsForMs;
    const ms = Date.now() - startedAt;
    return ms < least || (ms < most * toSlowness(fleet) && !isEnough);
  };
  async function watch(): Promise<void> {
    let said = 0;
    while (goesOn()) {
      const figures = await deps.readFigures(done);
      // Condemned in the end: while workers go on dying, its lane is full of others.
      const poisoned = done.faults.poison ?? 0;
      const shortfalls = findShortfalls({ ...figures, poisoned }, plan, toSlowness(fleet));
      isEnough = shortfalls.length === 0;
      const isLate = Date.now() - startedAt > plan.faultsForMs.least;
      if (isLate && shortfalls.length !== said) deps.say(`goes on for ${shortfalls.join("; ")}`);
      if (isLate) said = shortfalls.length;
      await sleep(LOOK_EVERY_MS);
    }
  }

  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  function follow(work: Promise<void>): void {
    const followed = work
      .catch((error: unknown) => void failures.push(error))
      .finally(() => underWay.delete(followed));
    underWay.add(followed);
  }
  async function submit(): Promise<void> {
    // More at once than the queues may hold.
    for (let i = 0; i < BURST; i++) follow(load.submit());
    while (goesOn()) {
      follow(load.submit());
      await sleep((1_000 / plan.requestsPerSecond) * toSlowness(fleet));
    }
  }
  await Promise.all([
    submit(),
    kill(deps, goesOn, done),
    fault({ ...deps, kinds, goesOn, done, follow }),
    watch(),
  ]);
  // Whoever has no answer yet goes on asking; nothing was promised to it.
  await Promise.race([Promise.all(underWay), sleep(LAST_ANSWERS_MS)]);
  // Of the harness itself: what callers are told is no failure.
  if (failures.length > 0) throw failures[0];
  return done;
}

async function kill(
  { fleet, random, plan, findLastChances }: Disturbance,
  goesOn: () => boolean,
  done: Disturbed,
): Promise<void> {
  while (goesOn()) {
    await sleep(plan.killEveryMs * (0.5 + random.next()));
    // A fleet that dies faster than it starts does nothing, and so proves nothing: on a slow machine fewer are killed.
    const ready = fleet.members.filter((member) => member.isReady());
    // Nobody can tell a job that kills its worker from one whose workers are killed by others, three times in a row. That
    // is rare where workers seldom die; here one dies every few seconds.
    const lastChances = await Promise.race([findLastChances(), sleep(KNOWN_WITHIN_MS, NOBODY)]);
    const mortals = ready.filter(
      (member) => !fleet.spared.has(member) && !lastChances.has(member.pid() ?? 0),
    );
    if (mortals.length === 0 || ready.length < fleet.members.length * READY_SHARE) continue;
    if (random.pick(mortals).signal("SIGKILL")) done.kills++;
  }
}

interface Faulting extends Disturbance {
  kinds: readonly FaultKind[];
  goesOn(): boolean;
  done: Disturbed;
  follow(work: Promise<void>): void;
}

/** A fault that comes before anything has ended since the one before it finds nothing that it could disturb. */
async function untilMoved({ countEnded }: Disturbance, lastCount: number): Promise<number> {
  for (const until = Date.now() + MOVES_WITHIN_MS; ;) {
    const count = await countEnded();
    if (count > lastCount || Date.now() > until) return count;
    await sleep(ENDED_LOOK_EVERY_MS);
  }
}

async function fault(faulting: Faulting): Promise<void> {
  const { random, kinds, faults, say, goesOn, done, follow } = faulting;
  let ended = 0;
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
      ended = await untilMoved(faulting, ended);
      say(kind);
      const counted = inflict(kind);
      if (WAITS_FOR_CALLERS.has(kind)) follow(counted);
      else await counted;
    }
  }
}
