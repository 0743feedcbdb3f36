import { setTimeout as sleep } from "node:timers/promises";
import type { Callers } from "../callers.ts";
import type { Load } from "../load.ts";
import { query } from "../servers.ts";

/** Answers go on coming for as long as somebody may wait for one. */
export interface Answering {
  stop(): void;
}

const ANSWERS_EVERY_MS = 1_000;

/** `slowness`: of the machine by now, or rounds come faster than they are run. */
export function startAnswering(load: Load, slowness: () => number): Answering {
  let timer = setTimeout(answer, ANSWERS_EVERY_MS);
  let isStopped = false;
  function answer(): void {
    if (isStopped) return;
    void load.collect();
    void load.deliver();
    timer = setTimeout(answer, ANSWERS_EVERY_MS * slowness());
  }
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

const LOOK_EVERY_MS = 500;
const SAY_EVERY_MS = 5_000;
/** What a caller had sent when it hung up may be stored a moment later. */
const LOOKS_AT_REST = 4;

interface Settling {
  /** See `Plan`. */
  stalledAfterMs: number;
  callers: Pick<Callers, "waitingCount">;
  answering: Answering;
  say(what: string): void;
  /** Between two looks; default: half a second by the machine's clock. */
  clock?: Clock;
}

export interface Clock {
  now(): number;
  pause(): Promise<unknown>;
}

const MACHINE: Clock = { now: Date.now, pause: () => sleep(LOOK_EVERY_MS) };

/**
 * Waits until nothing is open and nobody waits for an answer. Ends before that only where nothing has ended for the given
 * time: that is lost. What ends is finite, since nobody sends more than has been sent; so this ends, however slow all is.
 */
export async function settleDown(
  databaseUrl: string,
  { stalledAfterMs, callers, answering, say, clock = MACHINE }: Settling,
): Promise<void> {
  const progress = createProgress(clock);
  let saidAt = clock.now();
  for (let looksAtRest = 0; looksAtRest < LOOKS_AT_REST; await clock.pause()) {
    const { rounds, others, ended } = await countUnsettled(databaseUrl);
    const waiting = callers.waitingCount();
    if (others === 0) answering.stop();
    looksAtRest = rounds + others + waiting === 0 ? looksAtRest + 1 : 0;
    progress.note([ended, -others, -waiting]);
    if (looksAtRest === 0 && progress.stillMs() > stalledAfterMs) {
      say(`nothing has ended for ${Math.round(stalledAfterMs / 1_000)} s`);
      break;
    }
    if (clock.now() - saidAt > SAY_EVERY_MS) {
      say(`${others} left, ${waiting} callers wait, ${ended} ended`);
      saidAt = clock.now();
    }
  }
  answering.stop();
}

/** Moves where one of the figures is higher than it ever was: what goes up and down again is no progress. */
function createProgress({ now }: Clock) {
  const best: number[] = [];
  let movedAt = now();
  return {
    note(figures: readonly number[]) {
      for (const [i, figure] of figures.entries()) {
        if (figure <= (best[i] ?? Number.NEGATIVE_INFINITY)) continue;
        best[i] = figure;
        movedAt = now();
      }
    },
    stillMs: () => now() - movedAt,
  };
}

interface Unsettled {
  rounds: number;
  /** Open requests, waits, and what is to end with its parents: none of them is left at rest. */
  others: number;
  /** Requests, jobs and waits that have ended, without rounds: those come for as long as somebody may wait for an answer. */
  ended: number;
}

async function countUnsettled(databaseUrl: string): Promise<Unsettled> {
  const [row] = await query<Unsettled>(
    databaseUrl,
    `select (select count(*) from request where state = 'open' and kind = 'round')::int as rounds,
       ((select count(*) from request where state = 'open' and kind <> 'round') + (select count(*) from stage_wait)
       + (select count(*) from children_to_end))::int as others,
       ((select count(*) from request where state <> 'open' and kind <> 'round')
       + (select count(*) from stage_job where state in ('done', 'skipped', 'failed', 'cancelled') and stage <> 'collect')
       + (select count(*) from chaos_wait where ended_as is not null))::int as ended`,
  );
  if (row === undefined) throw new Error("nothing was counted");
  return row;
}
