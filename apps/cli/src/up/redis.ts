import type { Config } from "@clipmill/config";
import { UsageError } from "../failure.ts";

/** Throws UsageError, with what to do, when the configured Redis would lose or refuse jobs. */
export async function requireUsableRedis(
  { REDIS_URL, QUEUE_PREFIX }: Pick<Config, "REDIS_URL" | "QUEUE_PREFIX">,
  notice: (line: string) => void,
): Promise<void> {
  // Nothing to load where there is nothing to check.
  if (REDIS_URL === undefined) return;
  const { checkRedis, toRedisRefusal } = await import("@clipmill/queue");
  const { problem, warning } = await checkRedis({ url: REDIS_URL, prefix: QUEUE_PREFIX });
  if (problem !== null) throw new UsageError(toRedisRefusal(problem));
  if (warning !== null) notice(`REDIS_URL: ${warning}`);
}
