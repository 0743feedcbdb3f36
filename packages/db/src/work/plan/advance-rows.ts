import type { Queryable } from "../../database.ts";
import { type Advanced, advance } from "./advance.ts";
import type { AdvancingRequest } from "./advancing-request.ts";
import type { Planning } from "./planning.ts";
import { toStageState } from "./stage-state.ts";

export type RequestRow = Omit<
  AdvancingRequest,
  "states" | "jobIds" | "outputs" | "recipes" | "language" | "fresh"
>;

interface StepRow {
  requestId: string;
  jobId: number;
  step: string;
  state: string;
  output: unknown;
  errorCode: string | null;
  errorMessage: string | null;
}

const NOTHING: Advanced = { ends: new Map(), enqueued: [], started: [], left: [] };

/** The columns of a `RequestRow`, of a request `r`. */
export const ADVANCING_COLUMNS = `r.id, r.kind, r.tenant, r.link, r.post_id as "postId", r.options_id as "optionsId", r.lane,
  r.deadline::text, r.credits_held as "creditsHeld", r.input`;

/** Plans the next steps of open requests that the caller has locked. */
export async function advanceRows(
  tx: Queryable,
  planning: Planning,
  requests: readonly RequestRow[],
): Promise<Advanced> {
  if (requests.length === 0) return NOTHING;
  const { rows: steps } = await tx.query<StepRow>({
    name: "load_request_steps",
    text: `select l.request_id as "requestId", j.id as "jobId", coalesce(l.step, j.stage) as step, j.state, j.output,
        j.error_code as "errorCode", j.error_message as "errorMessage"
      from request_stage_job l join stage_job j on j.id = any (array[l.stage_job_id])
      where l.request_id = any ($1::text[])`,
    values: [requests.map((r) => r.id)],
  });
  const optionsById = await planning.options.load(
    tx,
    requests.map((r) => r.optionsId),
  );
  const stepsById = Map.groupBy(steps, ({ requestId }) => requestId);
  const advancing = requests.map((row): AdvancingRequest => {
    const own = stepsById.get(row.id) ?? [];
    return {
      ...row,
      ...optionsById(row.optionsId),
      states: Object.fromEntries(own.map((each) => [each.step, toStageState(each)])),
      jobIds: new Set(own.map(({ jobId }) => jobId)),
    };
  });
  return await advance(tx, planning, advancing);
}
