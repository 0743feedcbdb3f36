import { isTerminal, type RequestReader, type RequestView } from "@clipmill/domain";

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

/**
 * Follows a request to its end and reports the changes on the way. Resolves with the last view: not a terminal one
 * when `signal` was aborted or `timeoutMs` is over.
 */
export async function followRequest(
  reader: RequestReader,
  id: string,
  options: {
    timeoutMs: number;
    signal: AbortSignal;
    onChange(change: StageChange): void;
  },
): Promise<RequestView> {
  const deadline = Date.now() + options.timeoutMs;
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
    if (isTerminal(view.state) || options.signal.aborted || Date.now() > deadline) return view;
  }
}
