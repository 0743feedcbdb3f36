import type { ErrorCode } from "../errors/error-codes.ts";
import type { StageRecord } from "./record.ts";
import type { ChildSubmission, JobLane, Submission, TerminalState } from "./request.ts";
import type { RequestView } from "../post/result.ts";
import type { QueueName } from "./stage.ts";
import type { Resolution } from "./wait.ts";

/** A dispatched job. `epoch` is the fence: every dispatch bumps it, and only its holder may write. */
export interface JobRef {
  id: number;
  epoch: number;
}

export interface DispatchedJob extends JobRef {
  queue: QueueName;
  stage: string;
  key: string;
  lane: JobLane;
  /** Its tenant has less than half of its fair share in flight: the job need not wait behind other tenants' jobs. */
  underShare: boolean;
  /** Its lane's guaranteed share put it before a better lane; it gets that lane's priority. */
  shareDue: boolean;
  /** Dispatched beyond a full window. */
  overflow: boolean;
}

/** Interactive jobs, and those of tenants under their share, may pass a full window: they wait for a slot, not for room. */
export interface Overflow {
  /** Most of them now. */
  allowed: number;
  /** How many overflowed since a job was last dispatched in its turn: the lanes' shares count them, too. */
  made: number;
}

export interface ClaimedJob extends JobRef {
  stage: string;
  key: string;
  input: unknown;
  /** Attempts used before this one. */
  attempts: number;
  lane: JobLane;
  /** Since the job was stored. */
  ageMs: number;
  /** See `StageContext.expiredToken`. */
  expiredToken: string | null;
}

/** What a stage wants stored with its end; see `StageEffects`. */
export interface OutcomeEffects {
  records: StageRecord[];
  calls: CallSettlement[];
  /** Default: none. */
  submit?: readonly ChildSubmission[];
  /** Default: none. */
  resolve?: readonly Resolution[];
}

/** What became of one claimed job. Everything but `released` closes the attempt. */
export type Outcome = JobRef &
  (
    | ({ kind: "done"; output: unknown } & OutcomeEffects)
    /** Until somebody resolves the token, or the time is over. Costs no attempt. */
    | ({ kind: "waiting"; token: string; timeoutMs: number } & OutcomeEffects)
    | { kind: "skipped" | "failed"; code: ErrorCode; message: string; upstream: string | null }
    | {
        kind: "retry";
        code: ErrorCode;
        message: string;
        upstream: string | null;
        delayMs: number;
        /** False where the attempt must not count: throttling and pauses are nobody's failure. */
        counts: boolean;
      }
    /** Given back without a try: shutdown, a lock that was lost, or after `delayMs` a stage of another version. */
    | { kind: "released"; delayMs?: number }
  );

export interface Settled {
  /** Their epoch had passed: nothing of theirs was written. */
  fenced: JobRef[];
  /** Next steps that are queued already, because their queue had room and no backlog: push their hints. */
  enqueued: DispatchedJob[];
  /** Next steps that are the caller's to run now: claimed in the transaction that stored the results before them. */
  started: ClaimedJob[];
}

/** Which next steps the caller would start itself, at once, without a hint. */
export interface EagerStart {
  workerId: string;
  stages: readonly string[];
  /** Most of them by queue. Missing: none. */
  slots: Readonly<Partial<Record<QueueName, number>>>;
}

export interface CallSettlement {
  callId: number;
  usd: number;
}

export interface Accepted {
  requestId: string;
  /** `false` when the idempotency key had been used: this is the earlier request. */
  created: boolean;
  /** Terminal where the request was complete on arrival; `conflict` where its idempotency key came with another body. */
  state: "open" | TerminalState | "conflict";
}

export interface ReconcileCounts {
  /** Queued past their deadline: the hint was lost. */
  requeued: number;
  /** Running past their lease: the worker died, hung or was cut off. */
  expired: number;
  /** Found dead after three crashes alone. */
  poisoned: number;
  /** Waited for a token that nobody resolved in time: ready again, and told so. */
  timedOut: number;
}

/** Open requests that were found without an open job: nothing would ever have ended them. */
export interface Stranded {
  /** They were planned anew and have a job now, or their end. */
  replanned: string[];
  /** Their pipeline is of another version of the program. */
  left: string[];
}

/**
 * The record of all work, in Postgres. Every method is one transaction over many items, because a commit costs an
 * fsync however few rows it carries. Times are the database's.
 */
export interface WorkStore {
  /** Stores requests and plans their first steps. Nothing is acknowledged before this returns. */
  accept(submissions: readonly Submission[]): Promise<Accepted[]>;
  /**
   * ready → queued until at most `window` jobs of the queue are queued, best placed first. Up to `overflow.allowed` that
   * are interactive or under share come on top, none by default, while no more than 4/3 of the window are queued.
   */
  dispatch(queue: QueueName, window: number, overflow?: Overflow): Promise<DispatchedJob[]>;
  /** queued → ready for hints that could not be delivered. */
  return(refs: readonly JobRef[]): Promise<void>;
  /** queued → running. A ref that is missing from the answer is a stale hint: drop it. */
  claim(refs: readonly JobRef[], workerId: string): Promise<ClaimedJob[]>;
  /**
   * A claimed job of the lane `quarantine` has the process to itself from now on. False where it is no longer the caller's.
   * Until then it has not started, and a crash does not count against it.
   */
  startAlone(ref: JobRef): Promise<boolean>;
  /** Extends the leases; returns the refs that are still held. */
  extend(refs: readonly JobRef[]): Promise<JobRef[]>;
  /** Extends the leases of jobs whose outcome is being stored; skips rows that the storing transaction has locked. */
  extendSettling(refs: readonly JobRef[]): Promise<void>;
  /** Finishes jobs and plans what follows. By default nothing starts eagerly. */
  settle(outcomes: readonly Outcome[], eagerStart?: EagerStart): Promise<Settled>;
  /**
   * Ends jobs that wait for these tokens, and plans what follows. A token that nobody waits for any more, or not yet,
   * changes nothing. Returns the jobs that ended.
   */
  resolve(resolutions: readonly Resolution[]): Promise<JobRef[]>;
  /**
   * Ends open requests; work that nobody else needs stops, and so do the requests that it submitted to end with it:
   * some hundreds at once, the rest by and by. Returns the ids of `requestIds` that were open.
   */
  cancel(requestIds: readonly string[]): Promise<string[]>;
  /**
   * Repairs what died: see `ReconcileCounts`. Any number of copies may run. `spareLeases`: nobody could extend a lease
   * lately, so none is expired.
   */
  reconcile(options?: { spareLeases?: boolean }): Promise<ReconcileCounts>;
  /** Ends open requests whose deadline has passed, and work that nobody needs any more; returns how many requests. */
  expireDeadlines(): Promise<number>;
  /** All jobs of a queue whose hints are known to be lost go back to ready. */
  requeueAll(): Promise<number>;
  /** Looks at the next few thousand requests, the oldest first and around again, for open ones without an open job. */
  replanStranded(): Promise<Stranded>;
  /** Goes on ending requests whose parents were ended early; returns how many ended. */
  endChildren(): Promise<number>;
}

/** Another worker may hold the job by now. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
}

/** What a job is about to pay for. */
export interface CallIntent {
  job: JobRef;
  engine: string;
  estimateUsd: number;
}

/** Paid calls are booked around the call, outside the stage's transaction. */
export interface CallLedger {
  /** Their ids, in order. Null where the job is no longer the caller's: that call must not be made. */
  open(intents: readonly CallIntent[]): Promise<(number | null)[]>;
  /** The price of a failed call, at once. */
  fail(settlement: CallSettlement): Promise<void>;
}

export interface RequestReader {
  findRequest(id: string): Promise<RequestView | null>;
  /** Resolves when the request is terminal, or with its state when `timeoutMs` is over. Null if there is none. */
  waitForRequest(
    id: string,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<RequestView | null>;
}
