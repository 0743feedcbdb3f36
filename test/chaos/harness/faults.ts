import { mkdir, statfs } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createDatabase } from "@clipmill/db";
import { Redis } from "ioredis";
import { wipeQueue } from "../../support/servers/wipe-queue.ts";
import { fillDisk } from "../../support/servers/small-disk.ts";
import { LEASE_MS } from "../processes/arguments.ts";
import type { Fleet, Member } from "./fleet.ts";
import type { Load } from "./load.ts";
import type { Random } from "./random.ts";
import { type ChaosServer, query, type QueueServer, type RedisServer } from "./servers.ts";

export const FAULT_KINDS = [
  "flush",
  "redis-kill",
  "postgres-stop",
  "cut",
  "hole",
  "pause",
  "block",
  "disk-full",
  "poison",
  "storm",
  "strand",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultDeps {
  fleet: Fleet;
  load: Load;
  /** Filled with the requests that `strand` takes the jobs from. */
  stranded: Set<string>;
  random: Random;
  postgres: ChaosServer;
  queue: QueueServer;
  storageDirectory: string;
  /** Whether the storage is a small disk of its own that may be filled. */
  smallDisk: boolean;
}

/** Resolves when the fault is over; false where it reached nothing and does not count. */
export type Fault = () => Promise<boolean>;

/** A zombie must be away for longer than its lease, or nobody takes its work. */
const AWAY_MS = LEASE_MS * 1.5;
const REDIS_DOWN_MS = 500;
const POSTGRES_DOWN_MS = 300;
const DISK_FULL_MS = 1_500;
const STORM_COPIES = 100;
const STRANDED_MAX = 5;

export function createFaults(deps: FaultDeps): Partial<Record<FaultKind, Fault>> {
  const { fleet, load, random, postgres, queue } = deps;
  // An API has no connection to the queue that could break.
  const pickProxied = () =>
    random.pick(
      fleet.members
        .flatMap((member) => member.proxies.map((proxy) => ({ member, proxy })))
        .filter(({ proxy }) => proxy.connectionCount() > 0),
    );

  /** False, too, where the process died of something else, or another took its place. */
  async function outlived(member: Member | null, act: (member: Member) => Promise<boolean>) {
    const pid = member?.pid() ?? null;
    if (member === null || pid === null) return false;
    fleet.spared.add(member);
    const reached = await act(member).finally(() => fleet.spared.delete(member));
    return reached && member.pid() === pid;
  }

  return {
    flush: () => flush(queue),
    ...(queue.backend === "redis"
      ? { "redis-kill": () => killForAWhile(queue.server, random) }
      : {}),
    async "postgres-stop"() {
      await postgres.crash();
      await sleep(POSTGRES_DOWN_MS);
      await postgres.restart();
      return true;
    },
    cut: async () => pickProxied().proxy.cut() > 0,
    async hole() {
      const { member, proxy } = pickProxied();
      return outlived(member, async () => {
        const reached = proxy.hole() > 0;
        await sleep(AWAY_MS);
        proxy.heal();
        return reached;
      });
    },
    pause: async () =>
      outlived(await pickBusy(postgres.url, fleet), async (member) => {
        if (!member.signal("SIGSTOP")) return false;
        await sleep(AWAY_MS);
        return member.signal("SIGCONT");
      }),
    block: async () =>
      outlived(await pickBusy(postgres.url, fleet), (member) => member.block(AWAY_MS)),
    ...(deps.smallDisk ? { "disk-full": () => fillForAWhile(deps.storageDirectory) } : {}),
    poison: () => load.submitPost("poison").then(() => true),
    storm: () => load.storm(STORM_COPIES).then(() => true),
    strand: () => strand(postgres.url, deps.stranded),
  };
}

/** What a fault of ours, or a row lost by hand, would leave: open requests that no job will ever end. */
async function strand(databaseUrl: string, stranded: Set<string>): Promise<boolean> {
  const rows = await query<{ id: string }>(
    databaseUrl,
    `with victim as (
       select r.id from request r where r.state = 'open' and r.kind = 'post' and (
         select coalesce(bool_and(j.state = 'ready'), false) from request_stage_job l
         join stage_job j on j.id = l.stage_job_id where l.request_id = r.id)
       order by r.id desc limit ${STRANDED_MAX} for update of r skip locked)
     delete from request_stage_job l using victim where l.request_id = victim.id returning l.request_id as id`,
  );
  for (const { id } of rows) stranded.add(id);
  return rows.length > 0;
}

/** False where there was no log that could lose its tail. */
async function killForAWhile(redis: RedisServer, random: Random): Promise<boolean> {
  await redis.crash();
  const lostBytes = await redis.loseTail(1 - random.next());
  await sleep(REDIS_DOWN_MS);
  await redis.restart();
  return lostBytes > 0;
}

/** The queue forgets everything; false where there was nothing to forget. */
async function flush({ backend, server: { url } }: QueueServer): Promise<boolean> {
  return backend === "redis" ? flushRedis(url) : flushPostgres(url);
}

async function flushPostgres(url: string): Promise<boolean> {
  const jobs = await query(url, "select 1 from bullmq.job limit 1");
  const database = createDatabase({ url, poolSize: 1, name: "chaos-flush", onError() {} });
  await wipeQueue("postgres", { database, redisUrl: "" });
  await database.close();
  return jobs.length > 0;
}

async function flushRedis(url: string): Promise<boolean> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  redis.on("error", () => {});
  try {
    const size = await redis.dbsize();
    await redis.flushall();
    return size > 0;
  } finally {
    redis.disconnect();
  }
}

/** A worker that holds jobs right now: pausing an idle one proves nothing. */
async function pickBusy(databaseUrl: string, fleet: Fleet): Promise<Member | null> {
  const rows = await query<{ worker: string }>(
    databaseUrl,
    "select worker_id as worker from stage_job where state = 'running' group by 1 order by count(*) desc",
  );
  for (const { worker } of rows) {
    const member = fleet.members.find(({ pid }) => worker === `chaos-${pid() ?? "none"}`);
    if (member !== undefined) return member;
  }
  return null;
}

async function fillForAWhile(directory: string): Promise<boolean> {
  await mkdir(directory, { recursive: true });
  const giveBack = fillDisk(directory);
  await sleep(DISK_FULL_MS);
  const { bavail, bsize } = await statfs(directory);
  await giveBack();
  return bavail * bsize < 65_536;
}
