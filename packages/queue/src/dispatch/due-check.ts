import { QUEUE_NAMES, type QueueName, type WorkStore } from "@clipmill/domain";

/**
 * In how many ms the first ready job of a queue is due: 0 where one is, Infinity where there is none. All who ask in one
 * turn of the event loop share one statement.
 */
export type DueCheck = (queue: QueueName) => Promise<number>;

export function createDueCheck(work: Pick<WorkStore, "findDue">): DueCheck {
  let next: Promise<ReadonlyMap<QueueName, number>> | null = null;

  async function find(): Promise<ReadonlyMap<QueueName, number>> {
    await new Promise((turnEnds) => setImmediate(turnEnds));
    // Whoever asks from now on may know of a job that this statement does not see.
    next = null;
    return await work.findDue(QUEUE_NAMES);
  }

  return async (queue) => {
    next ??= find();
    return (await next).get(queue) ?? Number.POSITIVE_INFINITY;
  };
}
