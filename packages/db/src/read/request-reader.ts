import {
  ERROR_CODES,
  isErrorCode,
  isTerminal,
  type RequestReader,
  type RequestState,
  type RequestView,
  type WaitingFor,
  type WaitingLimits,
} from "@clipmill/domain";
import type { ArtifactTable } from "../artifacts/artifact-table.ts";
import { ARTIFACT_TABLES } from "../artifacts/tables.ts";
import { ASKED, createBatchedFind, READ } from "./batched-find.ts";
import type { Database } from "../database.ts";
import type { Listener } from "../listener.ts";
import type { request } from "../schema/index.ts";
import { createStopReader } from "./stops.ts";
import { type StageFacts, toWaitingFor } from "./waiting-for.ts";
import {
  createResultQuery,
  type RequestShare,
  type ResultQuery,
  type ResultRow,
  toCost,
  toUsd,
} from "./results.ts";

/** A caller that waits for a request also polls this often, in case the notification is lost. */
const POLL_MS = 500;

type RequestRow = Pick<
  typeof request.$inferSelect,
  | "id"
  | "state"
  | "link"
  | "postId"
  | "failedStage"
  | "errorCode"
  | "errorMessage"
  | "warnings"
  | "cached"
  | "lane"
  | "createdAt"
  | "finishedAt"
> & { stages: StageRow[] };

/** Without a result, all columns of the result are null, `source` among them. */
type FoundRequest = RequestRow & { source: string | null };

interface StageRow {
  /** The name of its step in the request's plan, because a stage may stand several times. */
  stage: string;
  state: string;
  attempts: number;
  relation: string;
  /** Null if the request has ended. */
  wait: StageFacts | null;
  ranMs: number | null;
  usd: number;
}

const toFindRequests = ({
  columns,
  joins,
}: ResultQuery) => `select r.id, r.state, r.link, r.post_id as "postId", r.failed_stage as "failedStage",
    r.error_code as "errorCode", r.error_message as "errorMessage", r.warnings, r.cached, r.lane,
    to_json(r.created_at) #>> '{}' as "createdAt", to_json(r.finished_at) #>> '{}' as "finishedAt",
    work.stages, ${columns}
  from ${ASKED} join request r on r.id = any (array[asked.id])
  left join lateral (
    select coalesce(json_agg(json_build_object('stage', coalesce(l.step, j.stage), 'state', j.state, 'attempts', j.attempts,
      'relation', l.relation, 'wait', case when r.state = 'open' then json_build_object(
        'queue', j.queue, 'tenant', j.tenant, 'putOffSince', j.put_off_since, 'createdAt', j.created_at,
        'code', j.error_code, 'message', j.error_message) end,
      'ranMs', (extract(epoch from j.finished_at - j.started_at) * 1000)::float8,
      'usd', coalesce((select sum(c.usd) from cost_entry c where c.stage_job_id = any (array[j.id])), 0)::float8)
      order by l.stage_job_id), '[]') as stages
    from request_stage_job l join stage_job j on j.id = any (array[l.stage_job_id])
    where l.request_id = r.id) work on true
  left join post p on p.post_id = any (array[r.post_id]) and r.state = 'done' ${joins}`;

export interface RequestReaderOptions {
  /** Those of the artifacts that results are made of. Default: the built-in ones. */
  tables?: readonly ArtifactTable[];
  /** As the reconcilers have them, for `WaitingFor.failsAt`. Default: jobs wait for ever. */
  waitingLimits?: WaitingLimits;
}

export function createRequestReader(
  { pool }: Pick<Database, "pool">,
  listener: Listener,
  { tables = ARTIFACT_TABLES, waitingLimits = {} }: RequestReaderOptions = {},
): RequestReader {
  const resultQuery = createResultQuery("r", tables);
  const stops = createStopReader(pool);
  const findRequests = toFindRequests(resultQuery);
  const findRow = createBatchedFind<FoundRequest>(async (ids) => {
    const statement = { ...READ, name: "find_requests", text: findRequests, values: [ids] };
    const { rows } = await pool.query<FoundRequest>(statement);
    return new Map(rows.map((row) => [row.id, row]));
  });

  async function findRequest(id: string): Promise<RequestView | null> {
    const row = await findRow(id);
    if (row === undefined) return null;
    const share = toShare(row);
    return {
      id: row.id,
      state: toRequestState(row.state, row.stages),
      link: row.link,
      postId: row.postId,
      stages: row.stages.map(({ stage, state, attempts }) => ({ name: stage, state, attempts })),
      waitingFor: row.finishedAt === null ? await findWait(row) : null,
      failure: toFailure(row),
      result: hasResult(row) ? resultQuery.toResult(row, share) : null,
      cost: row.finishedAt === null ? null : toCost(share),
      createdAt: row.createdAt,
      finishedAt: row.finishedAt,
    };
  }

  async function findWait(row: RequestRow): Promise<WaitingFor | null> {
    return toWaitingFor(row, row.stages, await stops.find(), waitingLimits);
  }

  return {
    findRequest,

    async waitForRequest(id, { timeoutMs, signal }) {
      const until = Date.now() + timeoutMs;
      for (;;) {
        const left = until - Date.now();
        const notified = listener.next(
          "clipmill_request",
          id,
          Math.max(0, Math.min(POLL_MS, left)),
          signal,
        );
        const view = await findRequest(id);
        if (view === null || isTerminal(view.state) || left <= 0 || signal?.aborted === true) {
          notified.cancel();
          return view;
        }
        await notified.promise;
      }
    },
  };
}

/** Whether the request is done and its post was found: `post.source` is never null. */
function hasResult(row: FoundRequest): row is RequestRow & ResultRow {
  return row.source !== null;
}

const OPEN_STATES: ReadonlySet<string> = new Set(["ready", "queued", "running", "waiting"]);
/** States that a caller sees as running. */
const STARTED_STATES: ReadonlySet<string> = new Set(["running", "waiting"]);

/** An open request is queued until a job has started, and retrying while a job waits for another attempt. */
function toRequestState(state: string, stages: readonly StageRow[]): RequestState {
  if (state !== "open") return state as RequestState;
  const open = stages.filter((stage) => OPEN_STATES.has(stage.state));
  if (open.some((stage) => !STARTED_STATES.has(stage.state) && stage.attempts > 0))
    return "retrying";
  const started =
    stages.length > open.length || open.some((stage) => STARTED_STATES.has(stage.state));
  return started ? "running" : "queued";
}

function toFailure(row: RequestRow): RequestView["failure"] {
  if (row.errorCode === null || !isErrorCode(row.errorCode)) return null;
  return {
    code: row.errorCode,
    message: row.errorMessage ?? ERROR_CODES[row.errorCode].title,
    stage: row.failedStage,
    retryable: ERROR_CODES[row.errorCode].disposition === "retryable",
  };
}

/** Only the request that caused a run shows its cost. Its time is shown by all requests that waited for it. */
function toShare({ stages, ...request }: RequestRow): RequestShare {
  const started = stages.filter((stage) => stage.relation === "started" && stage.usd > 0);
  const waited = stages.filter((stage) => stage.relation !== "reused" && stage.ranMs !== null);
  return {
    cached: request.cached,
    usdByStage: Object.fromEntries(started.map(({ stage, usd }) => [stage, toUsd(usd)])),
    timingsMs: Object.fromEntries(
      waited.map(({ stage, ranMs }) => [stage, Math.round(ranMs ?? 0)]),
    ),
    warnings: request.warnings ?? [],
  };
}
