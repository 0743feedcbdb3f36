import type { Queryable } from "../../database.ts";
import { type Advanced, advance } from "./advance.ts";
import type { AdvancingRequest } from "./advancing-request.ts";
import type { Planning } from "./planning.ts";
import { toStageState } from "./stage-state.ts";

type RequestRow = Omit<
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

const COLUMNS = `r.id, r.kind, r.tenant, r.link, r.post_id as "postId", r.options_id as "optionsId", r.lane,
  r.deadline::text, r.credits_held as "creditsHeld", r.input`;

/** Plans the next steps of the open requests that need jobs which have just ended, in the caller's transaction. */
export async function advanceAttached(
  tx: Queryable,
  planning: Planning,
  endedIds: readonly number[],
): Promise<Advanced> {
  if (endedIds.length === 0) return NOTHING;
  // Locked in id order, and before the states of their jobs are read: so a step that waits for several others is
  // planned once, by the transaction that ends the last of them.
  const { rows } = await tx.query<RequestRow>({
    name: "lock_attached_requests",
    text: `select ${COLUMNS} from request r
      where r.state = 'open'
        and r.id = any (array(
          select l.request_id from request_stage_job l where l.stage_job_id = any ($1::bigint[])))
      order by r.id
      for update of r`,
    values: [endedIds],
  });
  return await advanceRows(tx, planning, rows);
}

/** Plans those of these requests that are open again. */
export async function advanceById(
  tx: Queryable,
  planning: Planning,
  ids: readonly string[],
): Promise<Advanced> {
  if (ids.length === 0) return NOTHING;
  const { rows } = await tx.query<RequestRow>({
    name: "lock_requests_by_id",
    text: `select ${COLUMNS} from request r
      where r.state = 'open' and r.id = any ($1::text[]) order by r.id for update of r`,
    values: [ids],
  });
  return await advanceRows(tx, planning, rows);
}

async function advanceRows(
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
