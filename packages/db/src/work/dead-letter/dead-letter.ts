import { UnrecoverableError } from "@clipmill/domain";
import { type Database, withTransaction } from "../../database.ts";
import {
  DEAD_COLUMNS,
  type DeadFilter,
  type DeadJob,
  type DeadJobDetail,
  type DeadRow,
  type DeadSelection,
  parseCursor,
  toCondition,
  toCursor,
  toDeadJob,
} from "./dead-job.ts";
import { dropJobs, retryDeadJobs } from "./retry-dead.ts";

/** Jobs that failed for good. An operator can look at them, retry them from the failed stage, or drop them. */
export interface DeadLetter {
  /**
   * Newest first. `cursor` is the `next` of the previous page; any other text throws UnrecoverableError
   * `invalid_request`.
   */
  list(
    filter: DeadFilter,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<{ jobs: DeadJob[]; next: string | null }>;
  /** One failed job, even if it was dropped; null if there is none. */
  find(id: number): Promise<DeadJobDetail | null>;
  /**
   * Makes jobs ready, with all attempts, and reopens the requests that failed because of them, without their deadlines.
   * These hold their credits again. A job stays in the dead letter if none of its requests can be paid; if that is so of
   * all, throws UnrecoverableError `insufficient_credits`.
   */
  retry(selection: DeadSelection): Promise<{ jobCount: number; requestCount: number }>;
  /** Takes jobs out of the dead letter. They stay failed, but a new request for the same work runs them again. */
  drop(selection: DeadSelection): Promise<{ jobCount: number }>;
}

/** At most this many jobs in one transaction, so that no worker waits long for its locks. */
const BATCH_MAX = 500;
const SHOWN_REQUESTS_MAX = 100;

export function createDeadLetter({ pool }: Pick<Database, "pool">): DeadLetter {
  /** The database's clock. As text, to keep its microseconds: a job may have failed in this millisecond. */
  async function readClock(): Promise<string> {
    const { rows } = await pool.query<{ now: string }>("select clock_timestamp()::text as now");
    return rows[0]?.now ?? "infinity";
  }

  return {
    async list(filter, { limit, cursor }) {
      const values: unknown[] = [];
      let condition = toCondition(filter, values);
      if (cursor !== undefined) {
        const { failedAt, id } = parseCursor(cursor);
        values.push(failedAt, id);
        condition += ` and (j.finished_at, j.id) < ($${values.length - 1}::timestamptz, $${values.length}::bigint)`;
      }
      values.push(limit + 1);
      const { rows } = await pool.query<DeadRow>(
        `select ${DEAD_COLUMNS} from stage_job j where ${condition}
         order by j.finished_at desc, j.id desc limit $${values.length}`,
        values,
      );
      const jobs = rows.slice(0, limit).map(toDeadJob);
      const last = jobs.at(-1);
      return { jobs, next: rows.length > limit && last !== undefined ? toCursor(last) : null };
    },

    async find(id) {
      const { rows } = await pool.query<DeadRow & Omit<DeadJobDetail, keyof DeadJob>>(
        `select ${DEAD_COLUMNS}, j.input, to_json(j.dropped_at) #>> '{}' as "droppedAt",
          failed.count as "requestCount", failed.ids as "requestIds"
         from stage_job j cross join lateral (
           select count(*) as count, coalesce((array_agg(r.id order by r.id))[:${SHOWN_REQUESTS_MAX}], '{}') as ids
           from request_stage_job l join request r on r.id = any (array[l.request_id])
           where l.stage_job_id = any (array[j.id]) and r.state = 'failed' and r.failed_stage = j.stage) failed
         where j.id = $1 and j.state = 'failed'`,
        [id],
      );
      const row = rows[0];
      if (row === undefined) return null;
      const { input, droppedAt, requestIds, requestCount, ...job } = row;
      return { ...toDeadJob(job), input, droppedAt, requestIds, requestCount };
    },

    async retry(selection) {
      const total = { jobCount: 0, requestCount: 0 };
      const unpaidIds: number[] = [];
      await inBatches(selection, readClock, async (batch) => {
        const part = "filter" in batch ? { ...batch, exceptIds: unpaidIds } : batch;
        const retried = await withTransaction(pool, (tx) => retryDeadJobs(tx, part));
        total.jobCount += retried.jobCount;
        total.requestCount += retried.requestCount;
        unpaidIds.push(...retried.unpaidIds);
        return retried.jobCount + retried.unpaidIds.length;
      });
      if (total.jobCount === 0 && unpaidIds.length > 0)
        throw new UnrecoverableError(
          "insufficient_credits",
          "the tenants of these jobs have fewer credits than their requests cost",
        );
      return total;
    },

    async drop(selection) {
      const jobCount = await inBatches(selection, readClock, (batch) =>
        withTransaction(pool, (tx) => dropJobs(tx, batch)),
      );
      return { jobCount };
    },
  };
}

/**
 * Calls `take` batch by batch until the selection is used up. `take` returns how many jobs it is done with; so does
 * this.
 */
async function inBatches(
  selection: DeadSelection,
  readClock: () => Promise<string>,
  take: (batch: DeadSelection) => Promise<number>,
): Promise<number> {
  let count = 0;
  if ("ids" in selection) {
    for (let from = 0; from < selection.ids.length; from += BATCH_MAX)
      count += await take({ ids: selection.ids.slice(from, from + BATCH_MAX) });
    return count;
  }
  // A job that fails again while this runs must not be taken a second time.
  const { failedBefore = await readClock() } = selection.filter;
  const filter = { ...selection.filter, failedBefore };
  while (count < selection.limit) {
    const limit = Math.min(BATCH_MAX, selection.limit - count);
    const taken = await take({ filter, limit });
    count += taken;
    if (taken === 0) break;
  }
  return count;
}
