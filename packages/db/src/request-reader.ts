import {
  ERROR_CODES,
  isErrorCode,
  isTerminal,
  type PostResult,
  type RequestReader,
  type RequestState,
  type RequestView,
  type Warning,
} from "@clipmill/domain";
import type { Database } from "./database.ts";
import type { Listener } from "./listener.ts";
import {
  type ArtifactRow,
  READ_SHARE,
  type RequestShare,
  selectArtifacts,
  toPostResult,
  toUsd,
} from "./results.ts";

/** Whoever waits for a request looks this often, should the notification be lost. */
const POLL_MS = 500;

export interface ResultReader extends RequestReader {
  /** The stored result of a post, as a read that costs nothing; null where nothing is stored. */
  findPostResult(postId: string): Promise<PostResult | null>;
}

interface RequestRow {
  id: string;
  state: string;
  link: string;
  postId: string | null;
  failedStage: string | null;
  errorCode: string | null;
  errorMessage: string | null;
  warnings: Warning[] | null;
  cached: boolean;
  createdAt: string;
  finishedAt: string | null;
}

interface StageRow {
  stage: string;
  state: string;
  attempts: number;
  relation: string;
  ranMs: number | null;
  usd: number;
}

const POST_RESULT = selectArtifacts({
  transcript: "p.transcript_key",
  screenText: "p.screen_text_key",
  answer: "p.answer_key",
});
const REQUEST_RESULT = selectArtifacts({
  transcript: "r.transcript_key",
  screenText: "r.screen_text_key",
  answer: "r.answer_key",
});

export function createRequestReader(
  { pool }: Pick<Database, "pool">,
  listener: Listener,
): ResultReader {
  async function findRequest(id: string): Promise<RequestView | null> {
    const { rows } = await pool.query<RequestRow>({
      name: "find_request",
      text: `select id, state, link, post_id as "postId", failed_stage as "failedStage", error_code as "errorCode",
          error_message as "errorMessage", warnings, cached,
          to_json(created_at) #>> '{}' as "createdAt", to_json(finished_at) #>> '{}' as "finishedAt"
        from request where id = $1`,
      values: [id],
    });
    const request = rows[0];
    if (request === undefined) return null;
    const stages = await findStages(id);
    return {
      id: request.id,
      state: toRequestState(request.state, stages),
      link: request.link,
      postId: request.postId,
      stages: stages.map(({ stage, state, attempts }) => ({ name: stage, state, attempts })),
      failure: toFailure(request),
      result: request.state === "done" ? await composeResult(request, stages) : null,
      createdAt: request.createdAt,
      finishedAt: request.finishedAt,
    };
  }

  async function findStages(requestId: string): Promise<StageRow[]> {
    const { rows } = await pool.query<StageRow>({
      name: "find_request_stages",
      text: `select j.stage, j.state, j.attempts, l.relation,
          (extract(epoch from j.finished_at - j.started_at) * 1000)::float8 as "ranMs",
          coalesce((select sum(c.usd) from cost_entry c where c.stage_job_id = j.id), 0)::float8 as usd
        from request_stage_job l join stage_job j on j.id = l.stage_job_id
        where l.request_id = $1
        order by j.id`,
      values: [requestId],
    });
    return rows;
  }

  async function composeResult(
    request: RequestRow,
    stages: readonly StageRow[],
  ): Promise<PostResult | null> {
    const { rows } = await pool.query<ArtifactRow>({
      name: "compose_request_result",
      text: `select ${REQUEST_RESULT.columns}
        from request r join post p on p.post_id = r.post_id ${REQUEST_RESULT.joins}
        where r.id = $1`,
      values: [request.id],
    });
    return rows[0] === undefined ? null : toPostResult(rows[0], toShare(request, stages));
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

    async findPostResult(postId) {
      const { rows } = await pool.query<ArtifactRow>({
        name: "find_post_result",
        text: `select ${POST_RESULT.columns} from post p ${POST_RESULT.joins} where p.post_id = $1`,
        values: [postId],
      });
      return rows[0] === undefined ? null : toPostResult(rows[0], READ_SHARE);
    },
  };
}

/** `open` is queued until something ran, retrying while the open work waits for another attempt. */
function toRequestState(state: string, stages: readonly StageRow[]): RequestState {
  if (state !== "open") return state as RequestState;
  const open = stages.filter(
    (stage) => stage.state === "ready" || stage.state === "queued" || stage.state === "running",
  );
  if (open.some((stage) => stage.state !== "running" && stage.attempts > 0)) return "retrying";
  const started = stages.length > open.length || open.some((stage) => stage.state === "running");
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

/** Dollars belong to the request that caused the run; time also to those that waited for it. */
function toShare(request: RequestRow, stages: readonly StageRow[]): RequestShare {
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
