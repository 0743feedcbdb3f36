import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { QueueBackend } from "@clipmill/queue";
import { findFreePort } from "../support/servers/free-port.ts";
import { mountSmallDisk, unmountSmallDisk } from "../support/servers/small-disk.ts";
import { installAudit } from "./harness/verdict/audit.ts";
import { createCallers } from "./harness/callers.ts";
import { disturb } from "./harness/disturb.ts";
import { createFaults } from "./harness/faults.ts";
import { startFleet } from "./harness/fleet.ts";
import { watchHints } from "./harness/verdict/hints-watch.ts";
import { checkInvariants, type Verdict } from "./harness/verdict/invariants.ts";
import {
  countEnded,
  countForVerdict,
  findLastChances,
  hasChildren,
} from "./harness/verdict/verdict-counts.ts";
import { createLoad } from "./harness/load.ts";
import { toSlowness } from "./harness/pace.ts";
import { startNeighbours } from "./harness/neighbours.ts";
import { createRandom } from "./harness/random.ts";
import {
  type ChaosServer,
  type QueueServer,
  startPostgres,
  startRedis,
  toDirectories,
} from "./harness/servers.ts";
import { settleDown, startAnswering } from "./harness/verdict/settle-down.ts";
import { startUpstream } from "./harness/upstream.ts";
import type { Disturbed, Figures } from "./harness/verdict/shortfalls.ts";
import type { Plan } from "./options.ts";
import type { Control } from "./processes/arguments.ts";

export interface ChaosResult extends Verdict, Figures {
  backend: QueueBackend["kind"];
  repeated: number;
  shared: number;
  deaths: number;
  /** See `Fleet.startMs`, and what follows of it for what this run must have done. */
  startMs: number;
  slowness: number;
  seconds: number;
  home: string;
}

export interface ChaosRun {
  backend: QueueBackend["kind"];
  seed: number;
  plan: Plan;
  control: Control | null;
  beside: number;
  keep: boolean;
}

const SMALL_DISK_MB = 96;

type Closers = (() => Promise<unknown>)[];

/** One run from empty servers to a verdict. Throws where the queue wants a redis-server and none is installed. */
export async function runChaos(run: ChaosRun): Promise<ChaosResult> {
  const startedAt = Date.now();
  const home = await mkdtemp(join(tmpdir(), "clipmill-chaos-"));
  const say = createProgress();
  const closers: Closers = [];
  // All connections go through this process: where it is late, everything is.
  const lag = monitorEventLoopDelay();
  lag.enable();
  try {
    const neighbours = startNeighbours(run.beside);
    closers.push(() => neighbours.close());
    const scene = await openScene(run, home, closers);
    const { fleet, callers, load } = scene;
    const answering = startAnswering(load, () => toSlowness(fleet));
    closers.push(async () => answering.stop());
    say("faults");
    const readFigures = (disturbed: Disturbed) => toFigures(scene, disturbed);
    const done = await disturb({ ...scene, plan: run.plan, readFigures, say });
    const { deaths } = fleet.counts;
    say("rest");
    const slowness = toSlowness(fleet);
    const stalledAfterMs = run.plan.stalledAfterMs * slowness;
    await settleDown(scene.databaseUrl, { stalledAfterMs, callers, answering, say });
    callers.stop();
    say(
      `late by ${(lag.mean / 1e6).toFixed()} ms (p99 ${(lag.percentile(99) / 1e6).toFixed()} ms)`,
    );
    say("checks");
    return {
      ...(await readFigures(done)),
      ...(await checkInvariants(scene)),
      repeated: load.counts.repeated,
      shared: load.counts.shared,
      deaths,
      backend: run.backend,
      startMs: Math.round(fleet.startMs()),
      slowness,
      seconds: Math.round((Date.now() - startedAt) / 1_000),
      home,
    };
  } finally {
    say("close");
    for (const close of closers.toReversed()) await close();
    if (!run.keep) await rm(home, { recursive: true, force: true });
  }
}

type Scene = Awaited<ReturnType<typeof openScene>>;

/** Servers, fleet, callers and what watches them. */
async function openScene(
  { backend, seed, plan, control }: ChaosRun,
  home: string,
  closers: Closers,
) {
  const directories = toDirectories(home);
  for (const directory of [directories.storage, directories.logs]) await mkdir(directory);
  // Where this user may not mount, the fault is left out, and the report says so.
  const smallDisk = mountSmallDisk(directories.storage, SMALL_DISK_MB);
  if (smallDisk) closers.push(async () => unmountSmallDisk(directories.storage));
  const postgres = await startPostgres(directories.postgres);
  closers.push(() => postgres.close());
  const { url: databaseUrl } = postgres;
  await installAudit(databaseUrl);
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
  const callers = createCallers(fleet, createRandom(seed + 2));
  const load = createLoad({
    callers,
    desk: upstream.desk,
    random: createRandom(seed + 3),
    runId: `run-${seed}`,
    mixture: plan.mixture,
    hasChildren: (requestId) => hasChildren(databaseUrl, requestId),
  });
  const random = createRandom(seed);
  const stranded = new Set<string>();
  const { storage: storageDirectory } = directories;
  const shared = { fleet, load, stranded, random, storageDirectory };
  const watch = watchHints(postgres, queue);
  closers.push(() => watch.close());
  return {
    ...shared,
    databaseUrl,
    upstream,
    callers,
    faults: createFaults({ ...shared, postgres, queue, smallDisk }),
    /** As reconcilers said. */
    replanned: fleet.replanned,
    waited: watch.most,
    countEnded: () => countEnded(databaseUrl),
    findLastChances: () => findLastChances(databaseUrl),
  };
}

async function toFigures(scene: Scene, disturbed: Disturbed): Promise<Figures> {
  const { databaseUrl, callers, fleet, stranded, waited } = scene;
  return {
    ...(await countForVerdict(databaseUrl)),
    ...disturbed,
    requests: callers.promised.size,
    fenced: fleet.counts.fenced,
    startedEagerly: fleet.counts.eager,
    reconciled: fleet.counts.reconciled,
    stranded: stranded.size,
    replanned: fleet.replanned.size,
    waited: waited(),
  };
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

/** What happens, a line each, on stderr. */
function createProgress(): (what: string) => void {
  const startedAt = Date.now();
  return (what) =>
    void process.stderr.write(`  ${((Date.now() - startedAt) / 1_000).toFixed(1)} s: ${what}\n`);
}
