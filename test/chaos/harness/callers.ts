import { setTimeout as sleep } from "node:timers/promises";
import type { Fleet } from "./fleet.ts";
import type { Random } from "./random.ts";

/** Callers, who send a request again under its key until somebody answers, as they are told to. */
export interface Callers {
  /** Request ids by idempotency key; only what was acknowledged. */
  readonly promised: ReadonlyMap<string, string>;
  /** Requests that somebody asked to end early, acknowledged or not. */
  readonly cancelled: ReadonlySet<string>;
  /** Two answers for one key, or a refusal of what is correct. */
  readonly complaints: readonly string[];
  /** Those that nobody has answered yet, and who ask again. */
  waitingCount(): number;
  /** Resolves with the request's id when it is acknowledged; null where that never came. */
  submit(key: string, path: string, body: object): Promise<string | null>;
  /** Resolves when it is acknowledged. */
  cancel(requestId: string): Promise<void>;
  /** Resolves when it is acknowledged. What is sent again comes twice, most likely. */
  tell(path: string, body: object): Promise<void>;
  /** Ends the attempts of callers that nobody has answered. */
  stop(): void;
}

interface Answer {
  /** 0: nobody answered. */
  status: number;
  id: string;
  /** What it says of when to come again; null for nothing. */
  retryAfterMs: number | null;
}

const AGAIN_AFTER_MS = 250;
/** One in so many does not care what it is told. */
const IMPATIENT = 5;
/** A caller that hangs up: half-open connections cost it no more than this. */
const PATIENCE_MS = 8_000;
const NOBODY: Answer = { status: 0, id: "", retryAfterMs: null };

export function createCallers(fleet: Fleet, random: Random): Callers {
  const promised = new Map<string, string>();
  const cancelled = new Set<string>();
  const complaints: string[] = [];
  const stopped = new AbortController();
  let waitingCount = 0;

  /** Null: nobody has answered until now, and nobody asks any more. */
  async function insist(path: string, body: object, key?: string): Promise<Answer | null> {
    waitingCount++;
    const isImpatient = random.between(0, IMPATIENT) === 0;
    try {
      while (!stopped.signal.aborted) {
        const answer = await post(path, body, key);
        if (answer.status >= 200 && answer.status < 500) return answer;
        const { retryAfterMs } = answer;
        await sleep(isImpatient ? AGAIN_AFTER_MS : (retryAfterMs ?? AGAIN_AFTER_MS));
      }
      return null;
    } finally {
      waitingCount--;
    }
  }

  async function post(path: string, body: object, key?: string): Promise<Answer> {
    const urls = fleet.members.flatMap((member) => member.url() ?? []);
    if (urls.length === 0) return NOBODY;
    const ofKey = key === undefined ? {} : { "idempotency-key": key };
    try {
      const response = await fetch(`${random.pick(urls)}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...ofKey },
        body: JSON.stringify(body),
        signal: AbortSignal.any([stopped.signal, AbortSignal.timeout(PATIENCE_MS)]),
      });
      const { id = "" } = (await response.json()) as { id?: string };
      const retryAfter = Number(response.headers.get("retry-after"));
      return {
        status: response.status,
        id,
        retryAfterMs: retryAfter > 0 ? retryAfter * 1_000 : null,
      };
    } catch {
      return NOBODY;
    }
  }

  return {
    promised,
    cancelled,
    complaints,
    waitingCount: () => waitingCount,
    async submit(key, path, body) {
      const answer = await insist(path, body, key);
      if (answer === null) return null;
      const { status, id } = answer;
      if (status >= 400) {
        complaints.push(`I1: ${key} was refused with ${status}`);
        return null;
      }
      const earlier = promised.get(key);
      if (earlier !== undefined && earlier !== id)
        complaints.push(`I1: ${key} was answered with two requests`);
      promised.set(key, id);
      return id;
    },
    async cancel(requestId) {
      cancelled.add(requestId);
      const answer = await insist(`/v1/jobs/${requestId}/cancel`, {});
      if (answer !== null && answer.status >= 400)
        complaints.push(`the end of ${requestId} was refused with ${answer.status}`);
    },
    async tell(path, body) {
      const answer = await insist(path, body);
      if (answer !== null && answer.status >= 400)
        complaints.push(`${path} was refused with ${answer.status}`);
    },
    stop: () => stopped.abort(),
  };
}
