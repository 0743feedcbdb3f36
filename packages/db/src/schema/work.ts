import type { ArtifactKeys, Warning } from "@clipmill/domain";
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

const DEAD = sql`dead`;

/** Options that many requests share: all requests of a backfill refer to one row. */
export const requestOptions = pgTable("request_options", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  hash: text().notNull().unique(),
  outputs: text().array().notNull(),
  recipes: jsonb().notNull(),
  language: text(),
  fresh: boolean().notNull().default(false),
});

/**
 * What callers asked for. `open` means queued, running or retrying. Which one is derived from the stage jobs when the
 * request is read, so that a claim writes nothing here.
 */
export const request = pgTable(
  "request",
  {
    id: text().primaryKey(),
    /** Which pipeline plans it. */
    kind: text().notNull().default("post"),
    tenant: text().notNull(),
    link: text().notNull(),
    postId: text("post_id"),
    /** No foreign key: options are never deleted, and checking it was a fifth of the cost of storing a request. */
    optionsId: integer("options_id").notNull(),
    lane: smallint().notNull(),
    deadline: moment("deadline"),
    /** What the request costs its tenant if it is the one that pays. Fixed when it is accepted. */
    credits: integer().notNull().default(0),
    /** Credits held for it now: 0 before the hold, and after capture or release. */
    creditsHeld: integer("credits_held").notNull().default(0),
    idempotencyKey: text("idempotency_key"),
    /** Hash of what the caller sent. The same key with another hash is a conflict. */
    bodyHash: text("body_hash"),
    state: text().notNull().default("open"),
    cached: boolean().notNull().default(false),
    failedStage: text("failed_stage"),
    errorCode: text("error_code"),
    errorMessage: text("error_message"),
    warnings: jsonb().$type<Warning[]>(),
    /** What its pipeline needs beyond link and options; null for nothing. */
    input: jsonb(),
    /** The stage job that submitted it; null if a caller did. */
    submittedBy: bigint("submitted_by", { mode: "number" }),
    /** Whether to cancel it when no request that needs that job is open or done. */
    endsWithParent: boolean("ends_with_parent").notNull().default(false),
    /** Keys of the artifacts in its result, by kind. Artifacts never change, so neither does the result. */
    artifacts: jsonb().$type<ArtifactKeys>(),
    // The same, written by workers of 0.1. Read if `artifacts` has no key of that kind.
    transcriptKey: text("transcript_key"),
    screenTextKey: text("screen_text_key"),
    answerKey: text("answer_key"),
    createdAt: moment("created_at").notNull().defaultNow(),
    finishedAt: moment("finished_at"),
    /** When a retry from the dead letter last reopened it. Nothing else reopens a request that has ended. */
    retriedAt: moment("retried_at"),
    /** The same, written by programs of 0.1. */
    revivedAt: moment("revived_at"),
    /** Generated, so that the end of a request without a deadline changes no indexed column. */
    openDeadline: moment("open_deadline").generatedAlwaysAs(
      sql`case when state = 'open' then deadline end`,
    ),
  },
  (t) => [
    // The idempotency key stands first, as in `stage_job_key` the key: nearly all rows share one tenant or stage. With
    // that first, each step of an index search would compare two columns.
    uniqueIndex("request_idempotency")
      .on(t.idempotencyKey, t.tenant)
      .where(sql`idempotency_key is not null`),
    index("request_open_deadline")
      .on(t.openDeadline)
      .where(sql`open_deadline is not null`),
    // The requests that a job submitted, in order. Read when the requests that need the job are ended early.
    index("request_children")
      .on(t.submittedBy, t.id)
      .where(sql`submitted_by is not null`),
    check("request_state", sql`state in ('open', 'done', 'skipped', 'failed', 'cancelled')`),
    check("request_end", sql`(state = 'open') = (finished_at is null)`),
  ],
);

/**
 * One stage on one key. The row is the outbox entry of the job, the checkpoint of its requests, and the stored result
 * for later ones. An open row has `run_at` (when it may be dispatched) or `held_until` (when its hint, lease or wait is
 * over), so no job can wait for ever. `work/states.ts` has the states and transitions.
 */
export const stageJob = pgTable(
  "stage_job",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    stage: text().notNull(),
    key: text().notNull(),
    queue: text().notNull(),
    state: text().notNull().default("ready"),
    /** Raised by each dispatch. A write that names an older epoch changes nothing. */
    epoch: integer().notNull().default(0),
    attempts: smallint().notNull().default(0),
    crashes: smallint().notNull().default(0),
    /** Crashes while it ran alone. Only these make it poison. */
    quarantineCrashes: smallint("quarantine_crashes").notNull().default(0),
    /** The same, counted by workers of 0.1: both columns are added up. */
    soloCrashes: smallint("solo_crashes").notNull().default(0),
    /** 0 quarantine, 1 interactive, 2 standard, 3 backfill. Outside quarantine, the best lane of its open requests. */
    lane: smallint().notNull(),
    tenant: text().notNull(),
    runAt: moment("run_at"),
    /** End of its hint's time if `queued`, of its lease if `running`, of its wait if `waiting`. */
    heldUntil: moment("held_until"),
    /** The same, written by workers of 0.1. The later of the two counts; setting `held_until` clears this one. */
    deadline: moment("deadline"),
    /** The token that it waited for and that nobody resolved in time. Its next run gets it. */
    expiredToken: text("expired_token"),
    /**
     * Since when it has been put off: retried without using up an attempt, because something that it needs is not there.
     * Why is in `error_code`. Null after an attempt that counts.
     */
    putOffSince: moment("put_off_since"),
    /** Latest start: after this no open request wants the result. Null if one wants it at any time. */
    startBy: moment("start_by"),
    input: jsonb().notNull(),
    output: jsonb(),
    errorCode: text("error_code"),
    errorMessage: text("error_message"),
    errorUpstream: text("error_upstream"),
    workerId: text("worker_id"),
    createdAt: moment("created_at").notNull().defaultNow(),
    startedAt: moment("started_at"),
    finishedAt: moment("finished_at"),
    /** When an operator dropped it: it stays failed, but out of the dead letter. */
    droppedAt: moment("dropped_at"),
    // Indexes use these two instead of `state`, so that a claim or a heartbeat changes no indexed column, and Postgres
    // can keep the new row version on the same page without a new index entry.
    inFlight: boolean("in_flight").generatedAlwaysAs(sql`state in ('queued', 'running')`),
    dead: boolean().generatedAlwaysAs(sql`state = 'failed' and dropped_at is null`),
  },
  (t) => [
    uniqueIndex("stage_job_key").on(t.key, t.stage),
    index("stage_job_ready")
      .on(t.queue, t.lane, t.tenant, t.runAt, t.id)
      .where(sql`run_at is not null`),
    index("stage_job_in_flight")
      .on(t.queue)
      .where(sql`in_flight`),
    // Finds ready jobs past their latest start. Few jobs have one.
    index("stage_job_start_by")
      .on(t.startBy)
      .where(sql`run_at is not null and start_by is not null`),
    // Jobs that were put off, the longest first. Read by lane, because each lane has its own limit.
    index("stage_job_put_off")
      .on(t.lane, t.putOffSince)
      .where(sql`run_at is not null and put_off_since is not null`),
    // The dead letter, newest first: as a whole, and by each of its filters. They hold few rows.
    index("stage_job_dead_by_queue").on(t.queue).where(DEAD),
    index("stage_job_dead").on(t.finishedAt, t.id).where(DEAD),
    index("stage_job_dead_by_code").on(t.errorCode, t.finishedAt, t.id).where(DEAD),
    index("stage_job_dead_by_stage").on(t.stage, t.finishedAt, t.id).where(DEAD),
    index("stage_job_dead_by_tenant").on(t.tenant, t.finishedAt, t.id).where(DEAD),
    check(
      "stage_job_state",
      sql`state in ('ready', 'queued', 'running', 'waiting', 'done', 'failed', 'skipped', 'cancelled')`,
    ),
    check("stage_job_liveness", sql`(state = 'ready') = (run_at is not null)`),
    check(
      "stage_job_held",
      sql`state not in ('queued', 'running', 'waiting') or coalesce(held_until, deadline) is not null`,
    ),
  ],
);

/** Which stage jobs a request needs. Fifty callers of one post share one stage job. */
export const requestStageJob = pgTable(
  "request_stage_job",
  {
    requestId: text("request_id").notNull(),
    stageJobId: bigint("stage_job_id", { mode: "number" }).notNull(),
    /** The name of the step in the request's plan; null if it is the stage's name. */
    step: text(),
    /** started: this request caused the run. joined: the job was open already. reused: it had ended already. */
    relation: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.requestId, t.stageJobId] }),
    index("request_stage_job_by_job").on(t.stageJobId),
    check("request_stage_job_relation", sql`relation in ('started', 'joined', 'reused')`),
  ],
);

/** The tokens that jobs wait for. A row is void if its job no longer waits in this epoch. */
export const stageWait = pgTable(
  "stage_wait",
  {
    token: text().primaryKey(),
    stageJobId: bigint("stage_job_id", { mode: "number" }).notNull(),
    /** The epoch of the job while it waits. */
    epoch: integer().notNull(),
    /** Equals the job's `held_until`, which is in no index because each heartbeat changes it. */
    expiresAt: moment("expires_at").notNull(),
  },
  (t) => [index("stage_wait_expiry").on(t.expiresAt)],
);

/** Each queue: who has served it, and what stops it. */
export const workQueue = pgTable("work_queue", {
  queue: text().primaryKey(),
  /** When a worker that drains it last reported. Null: none ever did. */
  drainedAt: moment("drained_at"),
  /** When a dispatcher last reported. Null: none did, as those of 0.1 never do. */
  dispatchedAt: moment("dispatched_at"),
  /** Why jobs cannot reach its workers now, as the dispatcher sees it; null if they can. */
  trouble: text(),
  troubleSince: moment("trouble_since"),
});

/** Jobs that submitted requests and whose own requests were ended early: some of the submitted ones may have to end. */
export const childrenToEnd = pgTable("children_to_end", {
  stageJobId: bigint("stage_job_id", { mode: "number" }).primaryKey(),
  /** Submitted requests up to this id have been looked at. */
  afterId: text("after_id").notNull().default(""),
});

/** Worker processes and what they can do. A process counts as dead when `seen_at` is older than 15 s. */
export const workerProcess = pgTable("worker_process", {
  id: text().primaryKey(),
  queues: text().array().notNull(),
  /** Engine ids available there. When a better engine is available, a stage with a fallback's result runs again. */
  engines: text().array().notNull(),
  /** How many jobs it runs at once, by queue. */
  slots: jsonb().notNull().default({}),
  startedAt: moment("started_at").notNull().defaultNow(),
  seenAt: moment("seen_at").notNull().defaultNow(),
});
