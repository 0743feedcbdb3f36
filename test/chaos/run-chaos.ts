import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { QueueBackend } from "@clipmill/queue";
import { findFreePort } from "../support/servers/free-port.ts";
import { mountSmallDisk, unmountSmallDisk } from "../support/servers/small-disk.ts";
import { installAudit } from "./harness/audit.ts";
import { createFaults, type FaultKind } from "./harness/faults.ts";
import { type Fleet, startFleet } from "./harness/fleet.ts";
import { type Waited, watchHints } from "./harness/hints-watch.ts";
import { checkInvariants, countOpen, type Verdict } from "./harness/invariants.ts";
import { createLoad, type Load } from "./harness/load.ts";
import { createRandom, type Random } from "./harness/random.ts";
import {
  type ChaosServer,
  type QueueServer,
  startPostgres,
  startRedis,
  toDirectories,
} from "./harness/servers.ts";
import { startUpstream } from "./harness/upstream.ts";
import type { Plan } from "./options.ts";
import type { Control } from "./processes/arguments.ts";

export interface ChaosResult extends Verdict {
  backend: QueueBackend["kind"];
  requests: number;
  repeated: number;
  shared: number;
  kills: number;
  deaths: number;
  faults: Partial<Record<FaultKind, number>>;
  fenced: number;
  /** Steps that ran without a hint, where the step before them had ended. */
  startedEagerly: number;
  reconciled: number;
  waited: Waited;
  seconds: number;
  home: string;
}

export interface ChaosRun {
  backend: QueueBackend["kind"];
  seed: number;
  plan: Plan;
  control: Control | null;
  keep: boolean;
}

/** Their callers may have to ask for long; other faults go on meanwhile. */
const WAITS_FOR_CALLERS: ReadonlySet<FaultKind> = new Set(["poison", "storm"]);
const BURST = 250;
const LAST_ANSWERS_MS = 15_000;
const SMALL_DISK_MB = 96;

/** One run from empty servers to a verdict. Throws where the queue wants a redis-server and none is installed. */
export async function runChaos({
  backend,
  seed,
  plan,
  control,
  keep,
}: ChaosRun): Promise<ChaosResult> {
  const startedAt = Date.now();
  const random = createRandom(seed);
  const home = await mkdtemp(join(tmpdir(), "clipmill-chaos-"));
  const directories = toDirectories(home);
  for (const directory of [directories.storage, directories.logs]) await mkdir(directory);
  // Where this user may not mount, the fault is left out, and the report says so.
  const smallDisk = mountSmallDisk(directories.storage, SMALL_DISK_MB);
  const closers: (() => Promise<unknown>)[] = [];
  const say = createProgress();
  if (smallDisk) closers.push(async () => unmountSmallDisk(directories.storage));
  try {
    const postgres = await startPostgres(directories.postgres);
    closers.push(() => postgres.close());
    await installAudit(postgres.url);
    const queue = await startQueue(backend, postgres, directories.redis);
    if (queue.backend === "redis") closers.push(() => queue.server.close());
    const upstream = await startUpstream(createRandom(seed + 1));
    closers.push(() => upstream.close());
    const fleet = await startFleet({
      postgres,
      queue,
      common: { upstreamUrl: upstream.url, storageDirectory: directories.storage, control },
      logDirectory: directories.logs,
      cacheDirectory: join(tmpdir(), "clipmill-chaos-cache"),
    });
    closers.push(() => fleet.close());
    const load = createLoad(fleet, createRandom(seed + 2), `run-${seed}`);
    const faults = createFaults({
      fleet,
      load,
      random,
      postgres,
      queue,
      storageDirectory: directories.storage,
      smallDisk,
    });
    const watch = watchHints(postgres, queue);
    closers.push(() => watch.close());

    say("faults");
    const done = await disturb({ fleet, load, random, plan, faults, say });
    const { counts } = fleet;
    const deaths = counts.deaths;
    say("rest");
    await settleDown(postgres.url, load, plan);
    say("checks");
    const verdict = await checkInvariants({
      databaseUrl: postgres.url,
      storageDirectory: directories.storage,
      load,
      upstream,
      waited: watch.most(),
    });
    return {
      ...verdict,
      ...done,
      requests: load.promised.size,
      repeated: load.counts.repeated,
      shared: load.counts.shared,
      deaths,
      fenced: counts.fenced,
      startedEagerly: counts.eager,
      reconciled: counts.reconciled,
      waited: watch.most(),
      backend,
      seconds: Math.round((Date.now() - startedAt) / 1_000),
      home,
    };
  } finally {
    say("close");
    for (const close of closers.toReversed()) await close();
    if (!keep) await rm(home, { recursive: true, force: true });
  }
}

async function startQueue(
  backend: QueueBackend["kind"],
  postgres: ChaosServer,
  directory: string,
): Promise<QueueServer> {
  if (backend === "postgres") return { backend, server: postgres };
  const server = await startRedis(directory, await findFreePort());
  if (server !== null) return { backend, server };
  throw new Error(
    "no redis-server here: apt-get install redis-server, or run with --backend postgres",
  );
}

/** Requests, kills and faults side by side, until the minima are met and the least time is over. */
async function disturb(deps: {
  fleet: Fleet;
  load: Load;
  random: Random;
  plan: Plan;
  faults: ReturnType<typeof createFaults>;
  say(what: string): void;
}): Promise<{ kills: number; faults: Partial<Record<FaultKind, number>> }> {
  const { fleet, load, random, plan } = deps;
  const startedAt = Date.now();
  let kills = 0;
  const kinds = plan.kinds.filter((kind) => deps.faults[kind] !== undefined);
  // Zero, not absent: a fault that could be made and was not is a shortfall.
  const counts: Partial<Record<FaultKind, number>> = Object.fromEntries(
    kinds.map((kind) => [kind, 0]),
  );
  const isEnough = () =>
    load.promised.size >= plan.minima.requests &&
    kills >= plan.minima.kills &&
    kinds.every((kind) => (counts[kind] ?? 0) >= plan.minima.faults);
  const goesOn = () => {
    const ms = Date.now() - startedAt;
    return ms < plan.faultsForMs.least || (ms < plan.faultsForMs.most && !isEnough());
  };

  const underWay = new Set<Promise<void>>();
  function submitOne(): void {
    const sent = load.submit().finally(() => underWay.delete(sent));
    underWay.add(sent);
  }
  async function submit(): Promise<void> {
    // More at once than the queues may hold.
    for (let i = 0; i < BURST; i++) submitOne();
    while (goesOn()) {
      submitOne();
      await sleep(1_000 / plan.requestsPerSecond);
    }
  }
  async function kill(): Promise<void> {
    while (goesOn()) {
      await sleep(plan.killEveryMs * (0.5 + random.next()));
      const mortals = fleet.members.filter((member) => !fleet.spared.has(member));
      if (random.pick(mortals).signal("SIGKILL")) kills++;
    }
  }
  async function inflict(kind: FaultKind): Promise<void> {
    // One that could not be made is told and does not count: the run falls short where none of its kind is made.
    const reached = await deps.faults[kind]?.().catch((error: unknown) => {
      deps.say(`${kind} failed: ${String(error)}`);
      return false;
    });
    if (reached === true) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  async function fault(): Promise<void> {
    while (goesOn()) {
      for (const kind of random.shuffle(kinds)) {
        if (!goesOn()) return;
        await sleep(200 + random.between(0, 600));
        deps.say(kind);
        const counted = inflict(kind);
        if (WAITS_FOR_CALLERS.has(kind)) underWay.add(counted);
        else await counted;
      }
    }
  }
  await Promise.all([submit(), kill(), fault()]);
  // Whoever has no answer yet goes on asking; nothing was promised to it.
  await Promise.race([Promise.all(underWay), sleep(LAST_ANSWERS_MS)]);
  return { kills, faults: counts };
}

/** Waits until nothing is open, or until nothing has moved for the given time: that is lost. */
async function settleDown(
  databaseUrl: string,
  load: Load,
  { stalledAfterMs, restWithinMs }: Plan,
): Promise<void> {
  const startedAt = Date.now();
  let least = Number.POSITIVE_INFINITY;
  let movedAt = startedAt;
  while (Date.now() - movedAt < stalledAfterMs && Date.now() - startedAt < restWithinMs) {
    const open = await countOpen(databaseUrl);
    if (open === 0) break;
    if (open < least) {
      least = open;
      movedAt = Date.now();
    }
    await sleep(500);
  }
  load.stop();
}

/** What happens, a line each, on stderr. */
function createProgress(): (what: string) => void {
  const startedAt = Date.now();
  return (what) =>
    void process.stderr.write(`  ${((Date.now() - startedAt) / 1_000).toFixed(1)} s: ${what}\n`);
}
