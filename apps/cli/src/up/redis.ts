import { checkRedis, toRedisRefusal } from "@clipmill/queue";
import { UsageError } from "../failure.ts";

/** Throws UsageError, with what to do, when the configured Redis would lose or refuse jobs. */
export async function requireUsableRedis(url: string | undefined): Promise<void> {
  const found = url === undefined ? null : await checkRedis(url);
  if (found !== null) throw new UsageError(toRedisRefusal(found));
}
