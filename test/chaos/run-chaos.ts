import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { QueueBackend } from "@clipmill/queue";
import { findFreePort } from "../support/servers/free-port.ts";
import { mountSmallDisk, unmountSmallDisk } from "../support/servers/small-disk.ts";
import { installAudit } from "./harness/verdict/audit.ts";
import { createCallers } from "./harness/callers.ts";
import { disturb } from "./harness/disturb.ts";
import { createFaults, type FaultKind } from "./harness/faults.ts";
import { startFleet } from "./harness/fleet.ts";
import { type Waited, watchHints } from "./harness/verdict/hints-watch.ts";
import { checkInvariants, type Verdict } from "./harness/verdict/invariants.ts";
import { countEnded, hasChildren } from "./harness/verdict/verdict-counts.ts";
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
  /** Open requests that lost their jobs to the fault \`strand\`, and those that a reconciler said it had found. */
  stranded: number;
  replanned: number;
  waited: Waited;
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

/** One run from empty servers to a verdict. Throws where the queue wants a redis-server and none is installed. */
export async function runChaos({
  backend,
  seed,
  plan,
  control,
  beside,
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
    const neighbours = startNeighbours(beside);
    closers.push(() => neighbours.close());
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
    const callers = createCallers(fleet, createRandom(seed + 2));
    const load = createLoad({
      callers,
      desk: upstream.desk,
      random: createRandom(seed + 3),
      runId: `run-${seed}`,
      mixture: plan.mixture,
      hasChildren: (requestId) => hasChildren(postgres.url, requestId),
    });
    const stranded = new Set<string>();
    const faults = createFaults({
      fleet,
      load,
      stranded,
      random,
      postgres,
      queue,
      storageDirectory: directories.storage,
      smallDisk,
    });
    const watch = watchHints(postgres, queue);
    closers.push(() => watch.close());

    const answering = startAnswering(load);
    closers.push(async () => answering.stop());
    say("faults");
    const done = await disturb({
      fleet,
      callers,
      load,
      random,
      plan,
      faults,
      countEnded: () => countEnded(postgres.url),
      say,
    });
    const { counts } = fleet;
    const deaths = counts.deaths;
    say("rest");
    const slowness = toSlowness(fleet);
    const stalledAfterMs = plan.stalledAfterMs * slowness;
    await settleDown(postgres.url, { stalledAfterMs, callers, answering, say });
    callers.stop();
    say("checks");
    const verdict = await checkInvariants({
      databaseUrl: postgres.url,
      storageDirectory: directories.storage,
      callers,
      upstream,
      waited: watch.most(),
      stranded,
      replanned: fleet.replanned,
    });
    return {
      ...verdict,
      ...done,
      requests: callers.promised.size,
      repeated: load.counts.repeated,
      shared: load.counts.shared,
      deaths,
      fenced: counts.fenced,
      startedEagerly: counts.eager,
      reconciled: counts.reconciled,
      stranded: stranded.size,
      replanned: fleet.replanned.size,
      waited: watch.most(),
      backend,
      startMs: Math.round(fleet.startMs()),
      slowness,
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

/** What happens, a line each, on stderr. */
function createProgress(): (what: string) => void {
  const startedAt = Date.now();
  return (what) =>
    void process.stderr.write(`  ${((Date.now() - startedAt) / 1_000).toFixed(1)} s: ${what}\n`);
}
