import {
  isTerminal,
  type RequestReader,
  type RequestView,
  type WaitingFor,
} from "@clipmill/domain";

/** A change of one stage that a person may see. */
export interface StageChange {
  stage: string;
  state: string;
  /** Attempts used so far. */
  attempts: number;
}

/** What differs between two looks at a request. Waiting stages are no news until they run or wait again. */
export function findChanges(before: RequestView | null, now: RequestView): StageChange[] {
  return now.stages.flatMap(({ name, state, attempts }) => {
    const earlier = before?.stages.find((stage) => stage.name === name);
    const isWaiting = state === "ready" || state === "queued";
    const shown = isWaiting && attempts > 0 ? "retrying" : state;
    const wasShown = earlier?.state === state && earlier.attempts === attempts;
    return wasShown || (isWaiting && attempts === 0)
      ? []
      : [{ stage: name, state: shown, attempts }];
  });
}

const LOOK_EVERY_MS = 200;

/** A reason that lasts for less than this is not told: most pauses of a rate end sooner. */
const TOLD_AFTER_MS = 1_500;

export interface FollowOptions {
  /** Default: no limit. */
  timeoutMs?: number;
  signal: AbortSignal;
  onChange(change: StageChange): void;
  /** Told once of each reason for which the request does not go on. */
  onWaiting?(waiting: WaitingFor): void;
  /**
   * How long to follow a request that waits for this, in ms. Default: to the end of the request.
   */
  toPatienceMs?(waiting: WaitingFor): number;
  /** Ms since any moment. Default: a clock that nobody sets. */
  now?: () => number;
}

/**
 * Follows a request to its end and reports the changes on the way. Resolves with the last view: not a terminal one
 * when `signal` was aborted, `timeoutMs` is over, or the request waited for longer than `toPatienceMs` for one thing.
 */
export async function followRequest(
  reader: RequestReader,
  id: string,
  options: FollowOptions,
): Promise<RequestView> {
  const now = options.now ?? (() => performance.now());
  const deadline = now() + (options.timeoutMs ?? Infinity);
  const isOutOfPatience = watchWaits(options, now);
  let seen: RequestView | null = null;
  for (;;) {
    const view = await reader.waitForRequest(id, {
      timeoutMs: LOOK_EVERY_MS,
      signal: options.signal,
    });
    if (view === null) throw new Error(`the request ${id} has vanished`);
    // What was complete on arrival happened for somebody else, earlier.
    const isOldNews = seen === null && isTerminal(view.state);
    for (const change of isOldNews ? [] : findChanges(seen, view)) options.onChange(change);
    seen = view;
    if (isTerminal(view.state) || options.signal.aborted || now() > deadline) return view;
    if (view.waitingFor !== null && isOutOfPatience(view.waitingFor)) return view;
  }
}

/** While a job that waits is tried again, for some milliseconds, it waits for nothing: the wait goes on all the same. */
function watchWaits(
  { onWaiting, toPatienceMs }: FollowOptions,
  now: () => number,
): (waiting: WaitingFor) => boolean {
  const waits = new Map<string, { sinceMs: number; isTold: boolean }>();
  return (waiting) => {
    const name = `${waiting.stage} ${waiting.reason}`;
    const wait = waits.get(name) ?? { sinceMs: now(), isTold: false };
    waits.set(name, wait);
    const forMs = now() - wait.sinceMs;
    if (!wait.isTold && forMs >= TOLD_AFTER_MS) {
      wait.isTold = true;
      onWaiting?.(waiting);
    }
    return forMs >= (toPatienceMs?.(waiting) ?? Infinity);
  };
}
