import type { ErrorCode } from "../errors/error-codes.ts";
import type { StageRecord } from "./record.ts";
import type { ChildSubmission, JobLane, Lane, Submission, TerminalState } from "./request.ts";
import type { RequestView } from "../post/result.ts";
import type { QueueName } from "./stage.ts";
import type { Resolution } from "./wait.ts";

/** A dispatched job. Every dispatch raises `epoch`, and a write that names an older epoch changes nothing. */
export interface JobRef {
  id: number;
  epoch: number;
}

export interface DispatchedJob extends JobRef {
  queue: QueueName;
  stage: string;
  key: string;
  lane: JobLane;
  /** Its tenant has at most half of its fair share in flight, so the job goes before other tenants' jobs. */
  underShare: boolean;
  /** Its lane's guaranteed share put it before a better lane; it gets that lane's priority. */
  shareDue: boolean;
  /** Dispatched although the window was full. */
  overflow: boolean;
}

/** Limits how many jobs may be dispatched although the window is full: interactive ones and those under share. */
export interface Overflow {
  /** At most this many now. */
  allowed: number;
  /** How many overflowed since a job was last dispatched within the window. They count towards the lanes' shares. */
  made: number;
}

export interface ClaimedJob extends JobRef {
  stage: string;
  key: string;
  input: unknown;
  /** Attempts used up before this one. */
  attempts: number;
  lane: JobLane;
  /** Since the job was stored. */
  ageMs: number;
  /** See `StageContext.expiredToken`. */
  expiredToken: string | null;
  /** Some of the requests that need it, three at most, and the post of one of them. For logs. Default: not told. */
  requestIds?: readonly string[];
  postId?: string | null;
}

/** What is stored together with an outcome; see `StageEffects`. */
export interface OutcomeEffects {
  records: StageRecord[];
  calls: CallSettlement[];
  /** Default: none. */
  submit?: readonly ChildSubmission[];
  /** Default: none. */
  resolve?: readonly Resolution[];
}

/** How one run of a claimed job ended. All but `released` end the attempt. */
export type Outcome = JobRef &
  (
    | ({ kind: "done"; output: unknown } & OutcomeEffects)
    /** Waits until somebody resolves the token or the time is over. Uses up no attempt. */
    | ({ kind: "waiting"; token: string; timeoutMs: number } & OutcomeEffects)
    | { kind: "skipped" | "failed"; code: ErrorCode; message: string; upstream: string | null }
    | {
        kind: "retry";
        code: ErrorCode;
        message: string;
        upstream: string | null;
        delayMs: number;
        /** Whether it uses up an attempt. False for throttling and pauses: the job is not at fault. */
        counts: boolean;
      }
    /** Given back untried: shutdown or a lost lock. */
    | { kind: "released" }
    /** Given back untried for a worker of another version, the only one that knows its stage. */
    | { kind: "released"; code: ErrorCode; message: string; upstream: null; delayMs: number }
  );

export interface Settled {
  /** Outcomes of an older epoch: nothing of them was written. */
  fenced: JobRef[];
  /** Next steps that were queued at once, as their queue had room and no backlog. The caller must push their hints. */
  enqueued: DispatchedJob[];
  /** Next steps that the caller must run now: the same transaction claimed them for it. */
  started: ClaimedJob[];
}

/** Which next steps the caller can start itself, at once and without a hint. */
export interface EagerStart {
  workerId: string;
  stages: readonly string[];
  /** How many it can start, by queue. Missing: none. */
  slots: Readonly<Partial<Record<QueueName, number>>>;
}

export interface CallSettlement {
  callId: number;
  usd: number;
}

export interface Accepted {
  requestId: string;
  /** False if the idempotency key was used before: this is the earlier request. */
  created: boolean;
  /** Terminal if all results were stored already; `conflict` if the key was used before with another body. */
  state: "open" | TerminalState | "conflict";
}

export interface ReconcileCounts {
  /** Queued for longer than a hint's time: the hint counts as lost. */
  requeued: number;
  /** Running for longer than their lease: the worker died, hung or was cut off. */
  expired: number;
  /** Failed as poison: three crashes while they ran alone. */
  poisoned: number;
  /** Waited for a token that nobody resolved in time. Ready again, with the token as `expiredToken`. */
  timedOut: number;
  /** Requests that were planned because a job had ended that more of them need than one transaction plans. Default 0. */
  advanced?: number;
  /** Why rows could not be changed. They stopped no other row, and are tried again in the next round. Default: none. */
  failures?: readonly unknown[];
}

/** Open requests that had no open job, so that nothing would ever have ended them. */
export interface Stranded {
  /** Planned anew: they have an open job now, or have ended. */
  replanned: string[];
  /** Left alone: only another version of the program knows their kind. */
  left: string[];
}

/**
 * The record of all work, in Postgres. Every method takes many items in one transaction, because a commit costs an
 * fsync however few rows it writes. All times are taken from the database's clock.
 */
export interface WorkStore {
  /** Stores requests and plans their first steps. A caller may be answered only after this has returned. */
  accept(submissions: readonly Submission[]): Promise<Accepted[]>;
  /**
   * ready → queued, until `window` jobs of the queue are queued; the best lane first. Then up to `overflow.allowed`
   * jobs (default 0) that are interactive or under share, until 4/3 of the window are queued. Jobs of lanes below
   * `lowest` (default: of none) stay ready.
   */
  dispatch(
    queue: QueueName,
    window: number,
    options?: { overflow?: Overflow; lowest?: Lane },
  ): Promise<DispatchedJob[]>;
  /**
   * Of each queue that has so many ready jobs (`places`): the lane of the job at that place, the best lane first. Jobs whose
   * time has not come are not counted, and queues that nobody serves now are left out.
   */
  findLanesAt(places: ReadonlyMap<QueueName, number>): Promise<ReadonlyMap<QueueName, JobLane>>;
  /**
   * In how many ms the first ready job of each of these queues is due: 0 for one whose time has come, missing where there
   * is none. Before that `dispatch` finds nothing, which this tells for a tenth of its price. What is due may not be
   * dispatched all the same: the window may be full, or the tenants at their caps.
   */
  findDue(queues: readonly QueueName[]): Promise<ReadonlyMap<QueueName, number>>;
  /** queued → ready, for jobs whose hints could not be delivered. */
  return(refs: readonly JobRef[]): Promise<void>;
  /** queued → running. A ref that is missing from the answer was a stale hint and must be dropped. */
  claim(refs: readonly JobRef[], workerId: string): Promise<ClaimedJob[]>;
  /**
   * To be called when a claimed job of the lane `quarantine` has the process to itself. From then on a crash counts
   * against it; before, it has not started. False if the caller no longer holds the job.
   */
  startAlone(ref: JobRef): Promise<boolean>;
  /** Extends leases. Returns the refs that the caller still holds. */
  extend(refs: readonly JobRef[]): Promise<JobRef[]>;
  /** Extends leases of jobs being settled; skips rows that the settling transaction has locked. */
  extendSettling(refs: readonly JobRef[]): Promise<void>;
  /** Stores outcomes and plans the next steps. By default nothing starts eagerly. */
  settle(outcomes: readonly Outcome[], eagerStart?: EagerStart): Promise<Settled>;
  /**
   * Ends the jobs that wait for these tokens, and plans the next steps. A token that no job waits for now changes
   * nothing. Returns the jobs that ended.
   */
  resolve(resolutions: readonly Resolution[]): Promise<JobRef[]>;
  /**
   * Cancels open requests, the jobs that no other request needs, and the requests that those jobs submitted to end with
   * them: up to 4,000 of these now, the rest in `endChildren`. Returns those of `requestIds` that were open.
   */
  cancel(requestIds: readonly string[]): Promise<string[]>;
  /**
   * Takes back what is held for too long, and plans what an ended job has left to plan: see `ReconcileCounts`. Any
   * number of processes may call it. `spareLeases`: leave leases and waits alone, because lately no worker was able to
   * extend or resolve one.
   */
  reconcile(options?: { spareLeases?: boolean }): Promise<ReconcileCounts>;
  /**
   * Ends open requests past their deadline, and jobs past their latest start. Gives jobs of a tenant whose cap is 0 to
   * another tenant that needs them as well. Returns how many requests ended.
   */
  expireDeadlines(): Promise<number>;
  /**
   * Fails jobs that have waited for longer than their lane may for something that is not there: a worker, an engine, a
   * provider that takes our calls. Up to 500 at once. Returns how many.
   */
  failOverdue(): Promise<number>;
  /** queued → ready for all jobs: to be called when the queue has lost its hints. Returns how many. */
  requeueAll(): Promise<number>;
  /**
   * Looks for open requests without an open job among the next 5,000 requests, oldest first, and plans them anew. After
   * the newest request it begins again with the oldest.
   */
  replanStranded(): Promise<Stranded>;
  /** Ends more of the requests whose parents were ended early. Returns how many ended. */
  endChildren(): Promise<number>;
}

/** The lease was lost: another worker may hold the job by now. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
}

/** What a job is about to pay for. */
export interface CallIntent {
  job: JobRef;
  engine: string;
  estimateUsd: number;
}

/** Entries of paid calls, committed before and after the call, outside the settling transaction. */
export interface CallLedger {
  /** Stores entries and returns their ids, in order. Null if the caller no longer holds the job: it must not call. */
  open(intents: readonly CallIntent[]): Promise<(number | null)[]>;
  /** Stores the price of a failed call. */
  fail(settlement: CallSettlement): Promise<void>;
}

export interface RequestReader {
  findRequest(id: string): Promise<RequestView | null>;
  /** Resolves when the request has ended, or as it is after `timeoutMs`. Null if there is none. */
  waitForRequest(
    id: string,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<RequestView | null>;
}
