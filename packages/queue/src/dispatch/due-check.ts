import { QUEUE_NAMES, type QueueName, type WorkStore } from "@clipmill/domain";

/** Whether a queue has a ready job whose time has come. All who ask in one turn of the event loop share one statement. */
export type DueCheck = (queue: QueueName) => Promise<boolean>;

export function createDueCheck(work: Pick<WorkStore, "findDue">): DueCheck {
  let next: Promise<ReadonlySet<QueueName>> | null = null;

  async function find(): Promise<ReadonlySet<QueueName>> {
    await new Promise((turnEnds) => setImmediate(turnEnds));
    // Whoever asks from now on may know of a job that this statement does not see.
    next = null;
    return await work.findDue(QUEUE_NAMES);
  }

  return async (queue) => {
    next ??= find();
    return (await next).has(queue);
  };
}
