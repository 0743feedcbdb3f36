import type { RequestState } from "@clipmill/domain";
import { isSimulated } from "@clipmill/domain";
import type { Database } from "../database.ts";

export interface RecentRequest {
  id: string;
  status: RequestState;
  postId: string | null;
  title?: string;
  simulated: boolean;
}

/** The latest requests, newest first; ids sort by time, so the primary key is the index. */
export async function findRecentRequests(
  { pool }: Pick<Database, "pool">,
  count: number,
): Promise<RecentRequest[]> {
  const { rows } = await pool.query<{
    id: string;
    state: string;
    postId: string | null;
    title: string | null;
    source: string | null;
  }>(
    `select r.id, r.state, r.post_id as "postId", p.title, p.source
     from (select * from request order by id desc limit $1) r left join post p on p.post_id = any (array[r.post_id])
     order by r.id desc`,
    [count],
  );
  return rows.map(({ id, state, postId, title, source }) => ({
    id,
    status: state === "open" ? "running" : (state as RequestState),
    postId,
    ...(title === null ? {} : { title }),
    simulated: source !== null && isSimulated(source),
  }));
}
