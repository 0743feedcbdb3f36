import type { JobRef, Resolution } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { ended, toSet } from "../states.ts";

/**
 * waiting → done or failed, in the caller's transaction, for the tokens that a job waits for now. The caller must plan
 * the next steps. A token that no job waits for changes nothing: it was resolved before, its time is over, or its job
 * was cancelled.
 */
export async function resolveWaits(
  tx: Queryable,
  resolutions: readonly Resolution[],
): Promise<JobRef[]> {
  if (resolutions.length === 0) return [];
  // If a token is resolved twice, the first resolution counts.
  const first = [...new Map(resolutions.toReversed().map((each) => [each.token, each])).values()];
  const { rows } = await tx.query<JobRef>({
    name: "resolve_waits",
    text: `with
      -- The jobs that wait for these tokens now, locked in id order, as every writer does.
      waited as materialized (
        select j.id, w.token, w.kind, w.output, w.code, w.message
        from (
          select stage_wait.stage_job_id, stage_wait.epoch, given.*
          from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as given (token, kind, output, code, message)
          join stage_wait on stage_wait.token = any (array[given.token])
          order by stage_wait.stage_job_id) w
        join stage_job j on j.id = any (array[w.stage_job_id]) and j.epoch = w.epoch and j.state = 'waiting'
        for update of j),
      -- Deletes their waits, so that each is resolved once.
      used as (
        delete from stage_wait w using waited where w.token = any (array[waited.token]))
      update stage_job j set ${toSet(
        ended({
          state: "waited.kind",
          output: "waited.output::jsonb",
          code: "waited.code",
          message: "waited.message",
          upstream: "null",
        }),
        { attempts: "j.attempts + (waited.kind = 'failed')::int" },
      )}
      from waited where j.id = any (array[waited.id]) and j.state = 'waiting'
      returning j.id, j.epoch`,
    values: [
      first.map(({ token }) => token),
      first.map(({ kind }) => kind),
      first.map((each) => (each.kind === "done" ? JSON.stringify(each.output) : null)),
      first.map((each) => (each.kind === "failed" ? each.code : null)),
      first.map((each) => (each.kind === "failed" ? each.message : null)),
    ],
  });
  return rows;
}
