import { expect } from "vitest";
import type { UpgradedDatabase } from "./upgraded-database.ts";

type Books = Pick<UpgradedDatabase, "rows">;

/** By tenant. */
export async function findBalances({ rows }: Books) {
  const tenants = await rows<{ id: string; available: number; held: number }>(
    "select id, available, held from tenant",
  );
  return Object.fromEntries(tenants.map(({ id, ...balance }) => [id, balance]));
}

/**
 * I6: each movement sums to zero, each balance is the sum of its entries and not negative, each hold of an ended request
 * has ended once, and only a request that is done has paid, once.
 */
export async function expectBalancedBooks({ rows }: Books): Promise<void> {
  const wrong = await rows(
    `select 'balance below zero' as what, id from tenant where available < 0 or held < 0
     union all
     select 'movement', txn_id::text as id from credit_entry group by txn_id having sum(amount) <> 0
     union all
     select 'balance', t.id from tenant t
     left join credit_txn x on x.tenant = t.id left join credit_entry e on e.txn_id = x.id
     group by t.id
     having t.available <> coalesce(sum(e.amount) filter (where e.account = 'available'), 0)
       or t.held <> coalesce(sum(e.amount) filter (where e.account = 'held'), 0)
     union all
     select 'hold', h.request_id from credit_txn h join request r on r.id = h.request_id
     left join credit_txn e on e.request_id = h.request_id and e.round = h.round and e.kind in ('capture', 'release')
     where h.kind = 'hold' group by h.request_id, h.round, r.id
     having count(e.id) <> case when r.credits_held > 0 and h.round = (
       select max(round) from credit_txn t where t.request_id = r.id) then 0 else 1 end
     union all
     select 'held', id from request where state <> 'open' and credits_held > 0
     union all
     select 'payer', r.id from credit_txn e join request r on r.id = e.request_id
     where e.kind = 'capture' group by r.id having count(*) > 1 or r.state <> 'done'`,
  );
  expect(wrong).toEqual([]);
}
