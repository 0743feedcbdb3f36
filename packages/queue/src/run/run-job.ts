import {
  type ClaimedJob,
  failpoint,
  type Log,
  type Outcome,
  type RunnableStage,
  type WorkStore,
} from "@clipmill/domain";
import { attempt, type AttemptDeps } from "./attempt.ts";
import type { RunTimes } from "./eager/run-times.ts";
import type { Exclusion } from "./exclusion.ts";
import type { Leases } from "./leases.ts";
import type { Settlements } from "./settlements.ts";
import type { UnknownStages } from "./unknown-stages.ts";

/** What became of the jobs of this process so far. */
export interface WorkTally {
  /** Their stage ended, well or not, and that is stored. */
  ended: number;
  /** Given back untried. */
  givenBack: number;
  /** Their outcome could not be stored, or somebody else has them by now. */
  lost: number;
}

/** What a claimed job passes through. */
export interface JobParts {
  stages: ReadonlyMap<string, RunnableStage>;
  attemptDeps: AttemptDeps;
  work: Pick<WorkStore, "startAlone">;
  leases: Leases;
  exclusion: Exclusion;
  runTimes: Pick<RunTimes, "note">;
  settlements: Settlements;
  unknownStages: UnknownStages;
  tally: WorkTally;
  log: Log;
  reportLost(error: unknown): void;
  reportNotStarted(error: unknown): void;
}

/** How one hint ended; `stale` claimed nothing. The outcome may not be stored yet. */
export interface JobEnd {
  kind: Outcome["kind"] | "stale";
  code: string | null;
}

/** A job whose lease and lock are held. */
interface StartedJob {
  job: ClaimedJob;
  abort: AbortController;
  log: Log;
  leave(): void;
}

/** A job whose stage has ended and whose outcome is not stored yet. */
interface EndedJob extends StartedJob {
  outcome: Outcome;
  durationMs: number;
}

/**
 * Runs a claimed job. Resolves when its stage has ended; `stored` resolves when its outcome is stored, or lost, with the
 * next steps that the caller must run. Neither rejects.
 */
export async function runJob(
  parts: JobParts,
  job: ClaimedJob,
): Promise<{ end: JobEnd; stored: Promise<readonly ClaimedJob[]> }> {
  const started = await start(parts, job);
  const startedAt = performance.now();
  const outcome = await runStage(parts, started);
  const durationMs = performance.now() - startedAt;
  parts.leases.settling(job);
  parts.runTimes.note(job.stage, durationMs, outcome.kind === "done");
  const stored = store(parts, { ...started, outcome, durationMs });
  return { end: { kind: outcome.kind, code: toCode(outcome) }, stored };
}

async function start(parts: JobParts, job: ClaimedJob): Promise<StartedJob> {
  const { stages, leases, exclusion } = parts;
  const log = parts.log.child({
    stage: job.stage,
    jobId: `${job.stage}-${job.id}-e${job.epoch}`,
    attempt: job.attempts + 1,
    requestIds: job.requestIds,
    postId: job.postId ?? undefined,
  });
  const abort = leases.hold(job);
  const runsAlone = job.lane === "quarantine" && stages.has(job.stage);
  return { job, abort, log, leave: await exclusion.enter(runsAlone ? "exclusive" : "shared") };
}

async function runStage(parts: JobParts, started: StartedJob): Promise<Outcome> {
  const { job, abort, log } = started;
  const stage = parts.stages.get(job.stage);
  const released = { id: job.id, epoch: job.epoch, kind: "released" } as const;
  if (stage === undefined) return parts.unknownStages.toOutcome(job);
  if (abort.signal.aborted || !(await mayStart(parts, job))) return released;
  return await attempt(parts.attemptDeps, stage, job, { abort, log });
}

/** Records that a job of the quarantine lane starts now, from when on a crash counts against it. */
async function mayStart({ work, reportNotStarted }: JobParts, job: ClaimedJob): Promise<boolean> {
  if (job.lane !== "quarantine") return true;
  return await work.startAlone(job).catch((error: unknown) => {
    reportNotStarted(error);
    return false;
  });
}

async function store(parts: JobParts, ended: EndedJob): Promise<readonly ClaimedJob[]> {
  const { job, outcome, leave } = ended;
  try {
    failpoint("before-settle", job.stage);
    const { isFenced, started } = await parts.settlements.settle(outcome, job.stage);
    parts.tally[isFenced ? "lost" : outcome.kind === "released" ? "givenBack" : "ended"]++;
    logEnd(ended, isFenced);
    return started;
  } catch (error) {
    // The lease runs out, and the job runs again.
    parts.tally.lost++;
    parts.reportLost(error);
    return [];
  } finally {
    parts.leases.drop(job);
    // Leave only after storing: otherwise a crash of the next quarantined job counts against this one too.
    leave();
  }
}

/** The one closing line of an attempt. */
function logEnd({ job, outcome, durationMs, log }: EndedJob, isFenced: boolean): void {
  const fields = {
    outcome: outcome.kind,
    code: toCode(outcome),
    durationMs: Math.round(durationMs),
    ageMs: Math.round(job.ageMs),
    fenced: isFenced,
  };
  if (outcome.kind === "failed") log.error({ ...fields, reason: outcome.message }, "job dead");
  else log.info(fields, "job ended");
}

function toCode(outcome: Outcome): string | null {
  return "code" in outcome ? outcome.code : null;
}
