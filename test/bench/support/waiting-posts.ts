import type { Database } from "@clipmill/db";
import type { WorkStore } from "@clipmill/domain";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";

const STEP = 100_000;
const RANKS = { standard: 2, backfill: 3 } as const;

export interface WaitingPosts {
  /** Posts whose first stage waits. */
  count: number;
  tenant: string;
  lane: keyof typeof RANKS;
}

/**
 * The rows that `accept` leaves, made in a few statements, and one post that it was asked for: the way there is what the
 * benchmark `accept` measures. What that leaves to be written and counted is done before this returns.
 */
export async function storeWaitingPosts(
  { database, work }: { database: Database; work: Pick<WorkStore, "accept"> },
  { count, tenant, lane }: WaitingPosts,
): Promise<void> {
  await work.accept([toSubmission(newPostId(), { tenant, lane })]);
  const client = await database.pool.connect();
  try {
    await client.query("set statement_timeout = 0");
    for (let from = 1; from <= count; from += STEP) {
      // Ids in no order, as lists from elsewhere have them: a step that is coprime with the span visits each once.
      await client.query(
        `with numbered as (
            select '8' || lpad((n::bigint * 7368787 % 100000007)::text, 18, '0') as key
            from generate_series($1::int, $2::int) n),
          waiting as (
            insert into stage_job (stage, key, queue, lane, tenant, input, run_at)
            select 'first', key, 'io', $4::int, $3, jsonb_build_object('postId', key), now()
            from numbered returning id, key),
          asked as (
            insert into request (id, tenant, link, post_id, options_id, lane)
            select 'job_' || lpad(id::text, 26, '0'), $3, 'https://www.tiktok.com/@toy/video/' || key, key, 1, $4::int
            from waiting)
          insert into request_stage_job (request_id, stage_job_id, relation)
          select 'job_' || lpad(id::text, 26, '0'), id, 'started' from waiting`,
        [from, Math.min(count, from + STEP - 1), tenant, RANKS[lane]],
      );
    }
    await client.query("vacuum analyze");
    await client.query("checkpoint");
  } finally {
    client.release(true);
  }
}
