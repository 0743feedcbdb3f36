import {
  ERROR_CODES,
  type ErrorCode,
  isErrorCode,
  type JobLane,
  UnrecoverableError,
} from "@clipmill/domain";
import { toJobLane } from "../lane.ts";

/** A stage job that failed for good and that no operator has retried or dropped. */
export interface DeadJob {
  id: number;
  stage: string;
  queue: string;
  key: string;
  /** The tenant of the request that caused the run. Requests of other tenants may need the job as well. */
  tenant: string;
  lane: JobLane;
  code: ErrorCode;
  message: string;
  /** The upstream that caused the failure; null if none did. */
  upstream: string | null;
  attempts: number;
  crashes: number;
  createdAt: string;
  failedAt: string;
}

export interface DeadJobDetail extends DeadJob {
  input: unknown;
  /** When an operator dropped the job, so that no list shows it any more. Null if none did. */
  droppedAt: string | null;
  /** The first hundred requests that failed because of it. */
  requestIds: string[];
  requestCount: number;
}

/** All conditions must hold. Without any, the filter selects every dead job. */
export interface DeadFilter {
  code?: ErrorCode | undefined;
  stage?: string | undefined;
  tenant?: string | undefined;
  /** ISO times: the job failed before `failedBefore`, and at or after `failedAfter`. */
  failedBefore?: string | undefined;
  failedAfter?: string | undefined;
}

/** Jobs by id, or the `limit` longest-dead jobs of a filter. Ids of jobs that are not dead are skipped. */
export type DeadSelection =
  | { ids: readonly number[] }
  | { filter: DeadFilter; limit: number; exceptIds?: readonly number[] };

/** Must equal the predicate of the dead letter's indexes, or Postgres does not use them. */
const DEAD = "j.dead";

export const DEAD_COLUMNS = `j.id, j.stage, j.queue, j.key, j.tenant, j.lane, j.error_code as code,
  j.error_message as message, j.error_upstream as upstream, j.attempts, j.crashes,
  to_json(j.created_at) #>> '{}' as "createdAt", to_json(j.finished_at) #>> '{}' as "failedAt"`;

export type DeadRow = Omit<DeadJob, "lane" | "code" | "message"> & {
  lane: number;
  code: string | null;
  message: string | null;
};

export function toDeadJob(row: DeadRow): DeadJob {
  const code = isErrorCode(row.code) ? row.code : "internal";
  return {
    ...row,
    lane: toJobLane(row.lane),
    code,
    message: row.message ?? ERROR_CODES[code].title,
  };
}

/** An SQL condition for the dead jobs `j` of a filter. Appends its parameters to `values`. */
export function toCondition(filter: DeadFilter, values: unknown[]): string {
  const conditions = [DEAD];
  const add = (value: unknown, toSql: (parameter: string) => string) => {
    if (value !== undefined) conditions.push(toSql(`$${values.push(value)}`));
  };
  add(filter.code, (code) => `j.error_code = ${code}`);
  add(filter.stage, (stage) => `j.stage = ${stage}`);
  add(filter.tenant, (tenant) => `j.tenant = ${tenant}`);
  add(filter.failedBefore, (moment) => `j.finished_at < ${moment}::timestamptz`);
  add(filter.failedAfter, (moment) => `j.finished_at >= ${moment}::timestamptz`);
  return conditions.join(" and ");
}

/** The last job of a page, encoded. Opaque to callers. */
export function toCursor({ failedAt, id }: Pick<DeadJob, "failedAt" | "id">): string {
  return Buffer.from(`${failedAt} ${id}`).toString("base64url");
}

const MOMENT =
  /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?[+-](?:0\d|1[0-4]):[0-5]\d$/;

/** As Postgres writes one. `Date.parse` would take 31 February for 3 March, and Postgres does not. */
function isMoment(text: string): boolean {
  const day = MOMENT.exec(text)?.[1];
  const ms = Date.parse(`${day}T00:00:00Z`);
  return day !== undefined && !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/** Throws UnrecoverableError `invalid_request` for a text that `toCursor` did not make. */
export function parseCursor(cursor: string): Pick<DeadJob, "failedAt" | "id"> {
  const text = Buffer.from(cursor, "base64url").toString("latin1");
  const [, failedAt, id] = /^((?:19[7-9]|2\d\d)\d-\S{15,30}) (\d{1,15})$/.exec(text) ?? [];
  if (failedAt === undefined || !isMoment(failedAt))
    throw new UnrecoverableError("invalid_request", "the cursor does not come from this list");
  return { failedAt, id: Number(id) };
}
