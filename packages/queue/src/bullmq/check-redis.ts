import { Redis } from "ioredis";
import {
  type RedisProblem,
  toClusterProblem,
  toDatabaseProblem,
  toRedisProblem,
} from "./redis-refusal.ts";

export interface RedisOptions {
  /** Redis or Valkey; absent: none is used, and nothing is wrong with it. */
  url: string | undefined;
  /** Before BullMQ's keys; an account may be held to it. */
  prefix: string;
}

/** What a look at a Redis found. The address stays out of all texts: it may hold a password. */
export interface RedisCheck {
  /** Such as `Redis 7.4.1` or `Valkey 8.0.2`; null where nothing answers. */
  server: string | null;
  /** Why BullMQ cannot work on it; null: it can. */
  problem: RedisProblem | null;
  /** What could not be found out, or will do damage later: a sentence with what to do, or null. */
  warning: string | null;
}

const MINIMUM = [6, 2] as const;
const ANSWER_WITHIN_MS = 5_000;

/**
 * Asks a Redis what BullMQ needs to know: its version, its role, what it evicts, and whether this user may write as
 * BullMQ's scripts do. Managed servers refuse CONFIG, so INFO is asked for the eviction policy. Takes 6 s at most.
 */
export async function checkRedis({ url, prefix }: RedisOptions): Promise<RedisCheck> {
  if (url === undefined) return { server: null, problem: null, warning: null };
  const path = new URL(url).pathname;
  if (!/^\/?\d*$/.test(path)) return { server: null, problem: toDatabaseProblem(), warning: null };
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: ANSWER_WITHIN_MS,
    commandTimeout: ANSWER_WITHIN_MS,
    retryStrategy: () => null,
    // A server that is loading is waited for otherwise; INFO tells it here.
    enableReadyCheck: false,
  });
  // The driver emits the reason, and then rejects with "Connection is closed".
  let reason: Error | null = null;
  redis.on("error", (error) => (reason ??= error));
  try {
    await within(redis.connect(), ANSWER_WITHIN_MS);
    const found = await examine(redis, prefix);
    return reason === null ? found : { ...found, problem: toRedisProblem(reason) };
  } catch (error) {
    return { server: null, problem: toRedisProblem(reason ?? error), warning: null };
  } finally {
    redis.disconnect();
  }
}

async function examine(redis: Redis, prefix: string): Promise<RedisCheck> {
  const info = await redis.info();
  const field = (name: string) => new RegExp(`^${name}:(\\S+)`, "m").exec(info)?.[1];
  const server = toServerName(field);
  const problem =
    checkVersion(field) ?? checkState(field) ?? checkEviction(await findEviction(redis, field));
  if (problem !== null) return { server, problem, warning: null };
  await tryAsBullMQ(redis, prefix);
  const isKnown = (await findEviction(redis, field)) !== null;
  const warning = isKnown
    ? null
    : "the server does not tell its maxmemory-policy: make sure that it is noeviction, or jobs are delayed when its memory is full";
  return { server, problem: null, warning };
}

type Field = (name: string) => string | undefined;

/** Valkey and Dragonfly call themselves some Redis as well, for clients that know no other. */
function toServerName(field: Field): string {
  const valkey = field("valkey_version");
  if (valkey !== undefined) return `Valkey ${valkey}`;
  const dragonfly = field("dragonfly_version");
  if (dragonfly !== undefined) return `Dragonfly ${dragonfly}`;
  return `Redis ${field("redis_version") ?? "of an unknown version"}`;
}

function checkVersion(field: Field): RedisProblem | null {
  const version = field("redis_version");
  // Some managed servers keep it to themselves; the trial below shows whether scripts and commands are there.
  if (version === undefined) return null;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return null;
  return {
    problem: `the server is version ${version}`,
    remedy: `use Redis or Valkey ${MINIMUM.join(".")} or newer`,
    mayPass: false,
  };
}

function checkState(field: Field): RedisProblem | null {
  if (field("loading") === "1") return toRedisProblem(new Error("LOADING"));
  // Writable or not: what is written to a replica is gone when it next hears from its primary.
  if (field("role") === "slave") return toRedisProblem(new Error("READONLY"));
  if (field("cluster_enabled") === "1") return toClusterProblem();
  return null;
}

/** The policy, or null where the server does not tell. */
async function findEviction(redis: Redis, field: Field): Promise<string | null> {
  const told = field("maxmemory_policy");
  if (told !== undefined) return told;
  try {
    const [, policy] = await redis.config("GET", "maxmemory-policy");
    return policy ?? null;
  } catch {
    // Refused, or renamed away, as managed servers do: there is nobody else to ask.
    return null;
  }
}

function checkEviction(policy: string | null): RedisProblem | null {
  // Dragonfly has a word of its own for it.
  if (policy === null || policy === "noeviction" || policy === "false") return null;
  return {
    problem: `maxmemory-policy is ${policy}, so jobs could be evicted`,
    remedy:
      "redis-cli CONFIG SET maxmemory-policy noeviction; at a managed service, the same in its parameters",
    mayPass: false,
  };
}

/** Hashes, lists, sorted sets and streams, under a name that is not declared as a key: so do BullMQ's scripts. */
const TRIAL = `
  local name = ARGV[1]
  redis.call("set", name, "1", "PX", 1000)
  redis.call("del", name)
  redis.call("hset", name, "f", "1")
  redis.call("del", name)
  redis.call("rpush", name, "1")
  redis.call("del", name)
  redis.call("zadd", name, 1, "1")
  redis.call("del", name)
  redis.call("xadd", name, "*", "f", "1")
  return redis.call("del", name)`;
const BLOCKS_FOR_SECONDS = 0.05;

/** Throws what the server answers where a worker of BullMQ could not work. */
async function tryAsBullMQ(redis: Redis, prefix: string): Promise<void> {
  await redis.eval(TRIAL, 0, `${prefix}:trial`);
  await redis.bzpopmin(`${prefix}:trial`, BLOCKS_FOR_SECONDS);
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("no answer")), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
