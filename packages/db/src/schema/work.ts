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

/** Options that many requests share word for word; a million rows of a backfill point at one. */
export const requestOptions = pgTable("request_options", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  hash: text().notNull().unique(),
  outputs: text().array().notNull(),
  recipes: jsonb().notNull(),
  language: text(),
  fresh: boolean().notNull().default(false),
});

/**
 * What callers asked for. `open` stands for queued, running and retrying: which of them it is follows from the
 * request's stage jobs and is worked out on read, so that a claim costs no write here.
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
    /** No foreign key: options are never deleted, and checking it was a fifth of what a stored request costs. */
    optionsId: integer("options_id").notNull(),
    lane: smallint().notNull(),
    deadline: moment("deadline"),
    /** What the request costs its tenant when it is the one that pays; fixed when it is accepted. */
    credits: integer().notNull().default(0),
    /** Held for it now: 0 before the hold and after its capture or release. */
    creditsHeld: integer("credits_held").notNull().default(0),
    idempotencyKey: text("idempotency_key"),
    /** Hash of what was asked; the same key with another one is a conflict. */
    bodyHash: text("body_hash"),
    state: text().notNull().default("open"),
    cached: boolean().notNull().default(false),
    failedStage: text("failed_stage"),
    errorCode: text("error_code"),
    errorMessage: text("error_message"),
    warnings: jsonb().$type<Warning[]>(),
    /** What its pipeline needs beyond link and options; null where that is all. */
    input: jsonb(),
    /** The stage job that submitted it; null for a caller's own. */
    submittedBy: bigint("submitted_by", { mode: "number" }),
    /** Cancelled once no request behind that job is open or done. */
    endsWithParent: boolean("ends_with_parent").notNull().default(false),
    /** What its result is made of, key by kind: artifacts never change, so neither does the result. */
    artifacts: jsonb().$type<ArtifactKeys>(),
    // The same in rows that workers of 0.1 ended: read where `artifacts` names no key of that kind.
    transcriptKey: text("transcript_key"),
    screenTextKey: text("screen_text_key"),
    answerKey: text("answer_key"),
    createdAt: moment("created_at").notNull().defaultNow(),
    finishedAt: moment("finished_at"),
    /** When the dead letter last took it back from `failed`: the only way back from an end, and always marked. */
    retriedAt: moment("retried_at"),
    /** The same, written by programs of 0.1. */
    revivedAt: moment("revived_at"),
    /** Of its own, so that the end of a request without a deadline changes no column of any index. */
    openDeadline: moment("open_deadline").generatedAlwaysAs(
      sql`case when state = 'open' then deadline end`,
    ),
  },
  (t) => [
    // What tells rows apart stands first in both unique keys: with the tenant, or the stage, that nearly all share,
    // each step of a search would compare twice.
    uniqueIndex("request_idempotency")
      .on(t.idempotencyKey, t.tenant)
      .where(sql`idempotency_key is not null`),
    index("request_open_deadline")
      .on(t.openDeadline)
      .where(sql`open_deadline is not null`),
    // What a job submitted, in order: found when the job's own requests are ended early.
    index("request_children")
      .on(t.submittedBy, t.id)
      .where(sql`submitted_by is not null`),
    check("request_state", sql`state in ('open', 'done', 'skipped', 'failed', 'cancelled')`),
    check("request_end", sql`(state = 'open') = (finished_at is null)`),
  ],
);

/**
 * One stage on one key: outbox, checkpoint and memo in one row. Every row that is not terminal has `run_at` (when it may
 * be dispatched) or `held_until` (when its hint, lease or wait is over): nothing can wait for ever. `work/states.ts` has
 * the states and all that changes them.
 */
export const stageJob = pgTable(
  "stage_job",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    stage: text().notNull(),
    key: text().notNull(),
    queue: text().notNull(),
    state: text().notNull().default("ready"),
    /** Bumped by each dispatch; whoever holds an older one can finish nothing. */
    epoch: integer().notNull().default(0),
    attempts: smallint().notNull().default(0),
    crashes: smallint().notNull().default(0),
    /** Of them those while it ran alone: only these make it poison. */
    quarantineCrashes: smallint("quarantine_crashes").notNull().default(0),
    /** The same, counted by workers of 0.1. */
    soloCrashes: smallint("solo_crashes").notNull().default(0),
    /** 0 quarantine, 1 interactive, 2 standard, 3 backfill; that of its best-placed open request. */
    lane: smallint().notNull(),
    tenant: text().notNull(),
    runAt: moment("run_at"),
    /** End of its hint's time, of its lease, or of its wait; the state says which. */
    heldUntil: moment("held_until"),
    /** The same, written by workers of 0.1: the later one counts, and whoever takes the job clears this. */
    deadline: moment("deadline"),
    /** A token that it waited for in vain; its next run is told. */
    expiredToken: text("expired_token"),
    /** Not started after this: no open request would take the result. Null where one of them would. */
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
    /** An operator acknowledged the failure: it stays failed, but out of the dead letter. */
    droppedAt: moment("dropped_at"),
    // The indexes rest on these, not on `state` and `deadline`: a claim or a heartbeat then changes no column of
    // any index, and Postgres can keep the new row version beside the old one.
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
    // Few jobs have one; those that missed it are found here.
    index("stage_job_start_by")
      .on(t.startBy)
      .where(sql`run_at is not null and start_by is not null`),
    // The dead letter, newest first: whole, and by each of its filters. Few rows are in them.
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

/** Which stage jobs a request rests on. Fifty callers of one post share one row of work. */
export const requestStageJob = pgTable(
  "request_stage_job",
  {
    requestId: text("request_id").notNull(),
    stageJobId: bigint("stage_job_id", { mode: "number" }).notNull(),
    /** Its step in the request's plan; null where that is named as the stage. */
    step: text(),
    /** started: this request caused the run. joined: it was on its way. reused: it was done before. */
    relation: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.requestId, t.stageJobId] }),
    index("request_stage_job_by_job").on(t.stageJobId),
    check("request_stage_job_relation", sql`relation in ('started', 'joined', 'reused')`),
  ],
);

/** Jobs that wait for something outside, by the token that will end them. A row of a job that has moved on is void. */
export const stageWait = pgTable(
  "stage_wait",
  {
    token: text().primaryKey(),
    stageJobId: bigint("stage_job_id", { mode: "number" }).notNull(),
    /** That of the job while it waits. */
    epoch: integer().notNull(),
    /** Equals the job's `held_until`; that column changes with each heartbeat and so stands in no index. */
    expiresAt: moment("expires_at").notNull(),
  },
  (t) => [index("stage_wait_expiry").on(t.expiresAt)],
);

/** Jobs whose requests were ended early, and whose submitted requests are looked at for those that end with them. */
export const childrenToEnd = pgTable("children_to_end", {
  stageJobId: bigint("stage_job_id", { mode: "number" }).primaryKey(),
  /** Request ids up to this one have been looked at. */
  afterId: text("after_id").notNull().default(""),
});

/** Worker processes that are alive, and what they can do. A row is dead when `seen_at` is old. */
export const workerProcess = pgTable("worker_process", {
  id: text().primaryKey(),
  queues: text().array().notNull(),
  /** Engine ids available there: a fallback's result is redone once a better engine is. */
  engines: text().array().notNull(),
  /** Jobs that it runs at once, by queue. */
  slots: jsonb().notNull().default({}),
  startedAt: moment("started_at").notNull().defaultNow(),
  seenAt: moment("seen_at").notNull().defaultNow(),
});
