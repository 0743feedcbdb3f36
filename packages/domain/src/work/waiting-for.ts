import { z } from "zod";
import type { ErrorCode } from "../errors/error-codes.ts";
import type { Lane } from "./request.ts";

/** What a person can do, by code of an error that uses up no attempt. A test checks that none is missing. */
const ADVICE = {
  throttled: {
    needsPerson: false,
    advice: "Nothing has to be done: it goes on when the upstream takes calls again.",
  },
  rate_limited: {
    needsPerson: false,
    advice: "Nothing has to be done: it goes on as soon as the rate allows.",
  },
  paused: {
    needsPerson: false,
    advice: "Nothing has to be done here: the upstream is tried again every few minutes.",
  },
  provider_key: {
    needsPerson: true,
    advice: "Give the workers a key that the provider accepts, and start them again.",
  },
  provider_balance: {
    needsPerson: true,
    advice: "Top up the account at the provider: it is tried again by itself.",
  },
  engine_unavailable: {
    needsPerson: true,
    advice:
      "Install the engine or set its key for a worker, and start that worker again: `clipmill doctor` says what is missing.",
  },
  no_worker: {
    needsPerson: true,
    advice:
      "Start a worker for this queue, or resume the queue: `clipmill up` starts workers for all queues.",
  },
  tenant_stopped: {
    needsPerson: true,
    advice: "Raise the tenant's `max_in_flight` above 0.",
  },
} as const satisfies Partial<Record<ErrorCode, { needsPerson: boolean; advice: string }>>;

/** The codes of a job that waits without using up attempts. */
export type WaitingReason = keyof typeof ADVICE;

/** Why an open request does not go on now, and what would help. */
export interface WaitingFor {
  /** The step that cannot start. */
  stage: string;
  reason: WaitingReason;
  /** What is missing, for a person. No secret, no text of a post. */
  message: string;
  /** What to do about it, as a sentence. */
  advice: string;
  /** False: it ends by itself. */
  needsPerson: boolean;
  /** ISO time. */
  since: string;
  /** ISO time at which the job fails with this reason; null if it may wait for ever. */
  failsAt: string | null;
}

/** How long a job of each lane may wait like this before it fails, in ms. A missing lane waits for ever. */
export type WaitingLimits = Readonly<Partial<Record<Lane, number>>>;

export function isWaitingReason(code: string | null): code is WaitingReason {
  return code !== null && Object.hasOwn(ADVICE, code);
}

export function toAdvice(reason: WaitingReason): { needsPerson: boolean; advice: string } {
  return ADVICE[reason];
}

/** The same in public JSON, from the API and the CLI. */
export const PublicWaitingFor = z.object({
  stage: z.string().describe("the stage that cannot start"),
  reason: z.string().describe("a code, as in `error.code`"),
  detail: z.string().describe("what is missing"),
  what_to_do: z.string(),
  needs_person: z.boolean().describe("false: it ends by itself"),
  since: z.string(),
  fails_at: z.string().nullable().describe("when the job fails with this reason; null: never"),
});
export type PublicWaitingFor = z.infer<typeof PublicWaitingFor>;

export function toPublicWaitingFor(waiting: WaitingFor): PublicWaitingFor {
  const { stage, reason, message, advice, needsPerson, since, failsAt } = waiting;
  return {
    stage,
    reason,
    detail: message,
    what_to_do: advice,
    needs_person: needsPerson,
    since,
    fails_at: failsAt,
  };
}
