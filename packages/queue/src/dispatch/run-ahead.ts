import type { JobLane, Lane, QueueName, WorkStore } from "@clipmill/domain";

/** Whether work of a queue is to go on, by lane. */
export interface RunAhead {
  /** The lowest lane of the queue whose jobs may be dispatched now. */
  findLowest(queue: QueueName): Promise<Lane>;
}

export interface RunAheadOptions {
  work: Pick<WorkStore, "findLanesAt">;
  /** Queues that make files, each with those that use them. */
  feeds: Readonly<Partial<Record<QueueName, readonly QueueName[]>>>;
  /** How many jobs may be ready in a queue before the lane is held that feeds it. Read anew each time. */
  ahead: Readonly<Record<QueueName, number>>;
  /** Ms since any moment. Default: a clock that nobody sets. */
  now?: () => number;
}

/** A lane that is held, or goes on, does so up to a second late. */
const REUSED_MS = 1_000;

/**
 * Lets a queue run ahead of those that it feeds, so that a GPU finds the next clips prepared, but not so far that the
 * disk fills with what nobody gets to for hours. A lane is held while enough jobs of it and of better lanes are ready
 * further on. `interactive` is never held. Where nobody serves the queue further on, nothing is held: what waits for it
 * is told so, and fails after its time.
 */
export function createRunAhead({
  work,
  feeds,
  ahead,
  now = () => performance.now(),
}: RunAheadOptions): RunAhead {
  const found = new Map<QueueName, { untilMs: number; lowest: Promise<Lane> }>();

  async function look(fed: readonly QueueName[]): Promise<Lane> {
    const full = await work.findLanesAt(new Map(fed.map((queue) => [queue, ahead[queue]])));
    const lanes = [...full.values()].map(toLowest);
    return ORDER.find((lane) => lanes.includes(lane)) ?? "backfill";
  }

  return {
    async findLowest(queue) {
      const fed = feeds[queue];
      if (fed === undefined) return "backfill";
      const known = found.get(queue);
      if (known !== undefined && now() < known.untilMs) return await known.lowest;
      const lowest = look(fed);
      found.set(queue, { untilMs: now() + REUSED_MS, lowest });
      lowest.catch(() => found.delete(queue));
      return await lowest;
    },
  };
}

const ORDER: readonly Lane[] = ["interactive", "standard", "backfill"];

/** The lane before that of the last job that there is room for. */
function toLowest(full: JobLane): Lane {
  return full === "backfill" ? "standard" : "interactive";
}
