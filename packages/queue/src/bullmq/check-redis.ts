import { Redis } from "ioredis";

/** What is wrong with a Redis, and what fixes it; null where nothing is. */
export interface RedisProblem {
  problem: string;
  remedy: string;
  /** False: the server does not answer now, so nothing else is known of it; it may come back. */
  reachable: boolean;
}

/** The same as one sentence about the setting, for a program that does not start because of it. */
export function toRedisRefusal({ problem, remedy }: RedisProblem): string {
  return `REDIS_URL: ${problem}. Fix it: ${remedy}`;
}

const MINIMUM = [6, 2] as const;

/**
 * BullMQ's hints must not be evicted, and its scripts need Redis 6.2 or any Valkey. The address stays out of the
 * messages: it may hold a password.
 */
export async function checkRedis(url: string): Promise<RedisProblem | null> {
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: 5_000,
    retryStrategy: () => null,
  });
  redis.on("error", () => {
    // Reported below, by the command that fails.
  });
  try {
    await redis.connect();
    return (await checkVersion(redis)) ?? (await checkEviction(redis));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer";
    return {
      problem: `cannot talk to the server (${code})`,
      remedy: "start it, or unset REDIS_URL to run on Postgres alone",
      reachable: false,
    };
  } finally {
    redis.disconnect();
  }
}

async function checkVersion(redis: Redis): Promise<RedisProblem | null> {
  const version = /^redis_version:(\S+)/m.exec(await redis.info("server"))?.[1] ?? "0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return null;
  return {
    problem: `the server is version ${version}`,
    remedy: `use Redis or Valkey ${MINIMUM.join(".")} or newer`,
    reachable: true,
  };
}

async function checkEviction(redis: Redis): Promise<RedisProblem | null> {
  const [, policy] = await redis.config("GET", "maxmemory-policy");
  if (policy === undefined || policy === "noeviction") return null;
  return {
    problem: `maxmemory-policy is ${policy}, so jobs could be evicted`,
    remedy: "redis-cli CONFIG SET maxmemory-policy noeviction",
    reachable: true,
  };
}
