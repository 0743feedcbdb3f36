import type { QueueName } from "@clipmill/domain";
import type { Hints } from "../bullmq/hints.ts";

/** Nothing is dispatched to a queue that holds more waiting hints than so many windows. Looked at this often. */
const CROWDED_WINDOWS = 4;
const CHECK_EVERY_MS = 5_000;

/**
 * Whether a queue holds too many hints. Where no worker drains a queue, its hints time out and each new dispatch leaves
 * another one behind, without end.
 */
export function createCrowdCheck(
  hints: Pick<Hints, "countWaiting">,
  queue: QueueName,
  window: Readonly<Record<QueueName, number>>,
): () => Promise<boolean> {
  let isCrowded = false;
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - checkedAtMs < CHECK_EVERY_MS) return isCrowded;
    checkedAtMs = performance.now();
    isCrowded = (await hints.countWaiting(queue)) > CROWDED_WINDOWS * window[queue];
    return isCrowded;
  };
}
