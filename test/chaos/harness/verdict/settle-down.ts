import { setTimeout as sleep } from "node:timers/promises";
import type { Plan } from "../../options.ts";
import type { Load } from "../load.ts";
import { query } from "../servers.ts";

/** Answers go on coming for as long as somebody may wait for one. */
export interface Answering {
  stop(): void;
}

const ANSWERS_EVERY_MS = 1_000;

export function startAnswering(load: Load): Answering {
  const every = setInterval(() => {
    void load.collect();
    void load.deliver();
  }, ANSWERS_EVERY_MS);
  return { stop: () => clearInterval(every) };
}

const LOOK_EVERY_MS = 500;
const SAY_EVERY_MS = 5_000;

/** Waits until nothing is open, or until nothing has moved for the given time: that is lost. */
export async function settleDown(
  databaseUrl: string,
  { stalledAfterMs, restWithinMs }: Plan,
  { answering, say }: { answering: Answering; say(what: string): void },
): Promise<void> {
  const startedAt = Date.now();
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  let movedAt = startedAt;
  let saidAt = startedAt;
  while (Date.now() - movedAt < stalledAfterMs && Date.now() - startedAt < restWithinMs) {
    const { rounds, others, ended } = await countUnsettled(databaseUrl);
    if (others === 0) answering.stop();
    if (rounds + others === 0) break;
    // What ends may have submitted more.
    if (others < least || ended > most) movedAt = Date.now();
    least = Math.min(least, others);
    most = Math.max(most, ended);
    if (Date.now() - saidAt > SAY_EVERY_MS) {
      say(`${others} left`);
      saidAt = Date.now();
    }
    await sleep(LOOK_EVERY_MS);
  }
  answering.stop();
}

interface Unsettled {
  rounds: number;
  /** Open requests, waits, and what is to end with its parents: none of them is left at rest. */
  others: number;
  ended: number;
}

async function countUnsettled(databaseUrl: string): Promise<Unsettled> {
  const [row] = await query<Unsettled>(
    databaseUrl,
    `select (select count(*) from request where state = 'open' and kind = 'round')::int as rounds,
       ((select count(*) from request where state = 'open' and kind <> 'round') + (select count(*) from stage_wait)
       + (select count(*) from children_to_end))::int as others,
       (select count(*) from request where state <> 'open' and kind <> 'round')::int as ended`,
  );
  if (row === undefined) throw new Error("nothing was counted");
  return row;
}
