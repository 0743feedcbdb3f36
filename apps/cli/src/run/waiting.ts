import type { RequestView, WaitingFor } from "@clipmill/domain";
import { toPrintable } from "../printable.ts";
import type { Requests } from "./requests.ts";

/** Where the work is done. */
interface Place {
  /** Null: by a worker without an API, this command's or that of another `clipmill run`. */
  apiUrl: string | null;
  /** Another command started it, with the environment that it had. */
  isShared: boolean;
}

/** Long enough to be read. Nobody can put it right meanwhile: the command's own worker keeps the environment it has. */
const OWN_PATIENCE_MS = 5_000;
/** As long as somebody may need who is just starting the other workers again. */
const SHARED_PATIENCE_MS = 15_000;
/** A worker that died is started again, which takes some seconds. */
const WORKER_PATIENCE_MS = 60_000;

/** How long the command stays with a request that waits, in ms. */
export function toPatienceMs({ reason, needsPerson }: WaitingFor, { apiUrl }: Place): number {
  if (!needsPerson) return Infinity;
  if (reason === "no_worker") return WORKER_PATIENCE_MS;
  return apiUrl === null ? OWN_PATIENCE_MS : SHARED_PATIENCE_MS;
}

export function tellWaiting(
  { stage, reason, message, advice, failsAt }: WaitingFor,
  { apiUrl }: Place,
  notice: (line: string) => void,
): void {
  notice(`${stage} waits: ${toPrintable(message)} (${reason})`);
  notice(advice);
  // A request that this command's own worker cannot go on with is cancelled before.
  if (failsAt !== null && apiUrl !== null)
    notice(`Without that the job fails at ${toMoment(failsAt)}.`);
}

/** What Ctrl-C leaves behind. */
export function toInterruption(
  { id, waitingFor }: RequestView,
  { apiUrl, isShared }: Place,
): string {
  if (apiUrl === null && isShared)
    return `interrupted; ${id} goes on as long as the other \`clipmill run\` lasts, and then with the next one`;
  if (apiUrl === null)
    return `interrupted; nothing works on ${id} now: the next \`clipmill run\` or \`clipmill up\` goes on with it`;
  const page = `${apiUrl}/jobs/${id}`;
  if (waitingFor === null) return `interrupted; ${id} goes on: ${page}`;
  const { stage, message, reason } = waitingFor;
  return `interrupted; ${id} stays, but does not go on: ${stage} waits: ${toPrintable(message)} (${reason}): ${page}`;
}

/**
 * The command ends before its request does. In workers of its own nobody could put right what is missing, so the request
 * is cancelled; in those of another command it stays.
 */
export async function leaveWaiting(
  { id, waitingFor }: RequestView,
  { apiUrl }: Place,
  requests: Pick<Requests, "cancel">,
): Promise<void> {
  if (apiUrl === null) return await requests.cancel(id);
  const until = waitingFor?.failsAt == null ? "" : ` until ${toMoment(waitingFor.failsAt)}`;
  console.error(
    `clipmill: ${id} stays${until}, and goes on by itself once that is put right: ${apiUrl}/jobs/${id}`,
  );
}

/** `2026-11-28T13:45:10.123Z` → `13:45:10 UTC on 2026-11-28`. */
function toMoment(iso: string): string {
  return `${iso.slice(11, 19)} UTC on ${iso.slice(0, 10)}`;
}
