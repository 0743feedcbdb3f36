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
 * I6: each movement sums to zero, each balance is the sum of its entries, each hold of an ended request has ended once.
 */
export async function expectBalancedBooks({ rows }: Books): Promise<void> {
  const wrong = await rows(
    `select 'movement' as what, txn_id::text as id from credit_entry group by txn_id having sum(amount) <> 0
     union all
     select 'balance', t.id from tenant t
     left join credit_txn x on x.tenant = t.id left join credit_entry e on e.txn_id = x.id
     group by t.id
     having t.available <> coalesce(sum(e.amount) filter (where e.account = 'available'), 0)
       or t.held <> coalesce(sum(e.amount) filter (where e.account = 'held'), 0)
     union all
     select 'hold', h.request_id from credit_txn h join request r on r.id = h.request_id
     left join credit_txn e on e.request_id = h.request_id and e.kind in ('capture', 'release')
     where h.kind = 'hold' and r.state <> 'open' group by h.request_id having count(e.id) <> 1`,
  );
  expect(wrong).toEqual([]);
}
