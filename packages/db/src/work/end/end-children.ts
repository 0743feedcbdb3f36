import type { Queryable } from "../../database.ts";

/** How many children one transaction looks at, over all its parents. */
const LOOKED_AT_MAX = 500;

/** How many parents one transaction looks at. */
const PARENTS_MAX = 20;

/**
 * Stores which jobs of these requests have submitted requests. `findChildrenToEnd` goes through their children in
 * pages, because a crawl has more of them than one transaction should end.
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
 * The next open requests that must end with their parents: they were submitted with `endsWithParent`, and no request
 * that needs the job which submitted them is open or done. The caller must end them in the same transaction, as this
 * one marks them as looked at. Null if no parent is left.
 */
export async function findChildrenToEnd(tx: Queryable): Promise<string[] | null> {
  const { rows } = await tx.query<{ ids: string[] | null; parents: number }>({
    name: "find_children_to_end",
    text: `with
      -- The next jobs whose children are to be looked at.
      parent as materialized (
        select stage_job_id, after_id from children_to_end order by stage_job_id limit ${PARENTS_MAX} for update skip locked),
      -- The next children of each, open or not. Together at most a page.
      child as materialized (
        select p.stage_job_id, c.id, c.state, c.ends_with_parent from parent p cross join lateral (
          select id, state, ends_with_parent from request
          where submitted_by = any (array[p.stage_job_id]) and id > p.after_id
          order by id limit (select ${LOOKED_AT_MAX} / greatest(1, count(*)) from parent)) c),
      -- The parents that an open or done request still needs: their children go on.
      wanted as materialized (
        select p.stage_job_id from parent p cross join lateral (
          select r.id from request_stage_job l join request r on r.id = any (array[l.request_id])
          where l.stage_job_id = any (array[p.stage_job_id]) and r.state in ('open', 'done') limit 1) r),
      -- How far the children of each parent have been looked at now. Null: there are no more.
      seen as (
        select p.stage_job_id, max(c.id) as last_id from parent p left join child c on c.stage_job_id = p.stage_job_id
        group by p.stage_job_id),
      -- The next page of these parents begins after the last child of this one.
      moved as (
        update children_to_end t set after_id = seen.last_id from seen
        where t.stage_job_id = any (array[seen.stage_job_id]) and seen.last_id is not null
          and seen.stage_job_id not in (select stage_job_id from wanted)),
      -- Removes the parents that have no more children, and those that are needed.
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
