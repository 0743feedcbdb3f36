import { checkRedis } from "@clipmill/queue";
import { UsageError } from "../failure.ts";

/** Throws UsageError with the line that mends it when the configured Redis would lose or refuse jobs. */
export async function requireUsableRedis(url: string | undefined): Promise<void> {
  const found = url === undefined ? null : await checkRedis(url);
  if (found !== null) throw new UsageError(`REDIS_URL: ${found.problem}. Mend it: ${found.remedy}`);
}
