import type { Queryable } from "../database.ts";

/** Children that one transaction looks at, of one job or shared between several. */
const LOOKED_AT_MAX = 500;

/** Jobs whose children one transaction looks at. */
const PARENTS_MAX = 20;

/**
 * Notes the jobs behind these requests, if they submitted requests that end with them: `findChildrenToEnd` goes through
 * them in pages, since a crawl has more children than one transaction should end.
 */
export async function noteChildren(tx: Queryable, requestIds: readonly string[]): Promise<void> {
  if (requestIds.length === 0) return;
  await tx.query({
    name: "note_children",
    text: `insert into children_to_end (stage_job_id)
      select distinct l.stage_job_id
      from unnest($1::text[]) as ended (id)
      cross join lateral (select stage_job_id from request_stage_job where request_id = ended.id offset 0) l
      cross join lateral (select id from request where submitted_by = any (array[l.stage_job_id]) limit 1) child
      order by l.stage_job_id
      on conflict (stage_job_id) do update set after_id = ''`,
    values: [requestIds],
  });
}

/**
 * The next open requests that end with their parents, as no request behind the job that submitted them is open or done.
 * In the caller's transaction, which ends them; moves on behind what was looked at. Null: no parent is left to look at.
 */
export async function findChildrenToEnd(tx: Queryable): Promise<string[] | null> {
  const { rows } = await tx.query<{ ids: string[] | null; parents: number }>({
    name: "find_children_to_end",
    text: `with
      parent as materialized (
        select stage_job_id, after_id from children_to_end order by stage_job_id limit ${PARENTS_MAX} for update skip locked),
      -- The next children of each, open or not.
      child as materialized (
        select p.stage_job_id, c.id, c.state, c.ends_with_parent from parent p cross join lateral (
          select id, state, ends_with_parent from request
          where submitted_by = any (array[p.stage_job_id]) and id > p.after_id
          order by id limit (select ${LOOKED_AT_MAX} / greatest(1, count(*)) from parent)) c),
      -- Jobs that somebody still wants the children of.
      wanted as materialized (
        select p.stage_job_id from parent p cross join lateral (
          select r.id from request_stage_job l join request r on r.id = any (array[l.request_id])
          where l.stage_job_id = any (array[p.stage_job_id]) and r.state in ('open', 'done') limit 1) r),
      seen as (
        select p.stage_job_id, max(c.id) as last_id from parent p left join child c on c.stage_job_id = p.stage_job_id
        group by p.stage_job_id),
      moved as (
        update children_to_end t set after_id = seen.last_id from seen
        where t.stage_job_id = any (array[seen.stage_job_id]) and seen.last_id is not null
          and seen.stage_job_id not in (select stage_job_id from wanted)),
      finished as (
        delete from children_to_end t using seen
        where t.stage_job_id = any (array[seen.stage_job_id])
          and (seen.last_id is null or seen.stage_job_id in (select stage_job_id from wanted)))
      select array_agg(c.id order by c.id) filter (
          where c.state = 'open' and c.ends_with_parent and c.stage_job_id not in (select stage_job_id from wanted)) as ids,
        (select count(*) from parent) as parents
      from child c`,
  });
  const [page] = rows;
  return page === undefined || page.parents === 0 ? null : (page.ids ?? []);
}
