import { UnrecoverableError } from "@clipmill/domain";
import type { Queryable } from "../database.ts";

/**
 * The second ledger: credits that tenants pay for answers, whatever a provider billed for them. A request that is not
 * complete on arrival holds its credits. The transaction that ends it captures or releases them. Of all requests that
 * wait for one answer the oldest pays; a request that comes after the answer gets it for free. A request that is retried
 * from the dead letter holds its credits again.
 */
export interface CreditedRequest {
  id: string;
  tenant: string;
  credits: number;
}

type Movement = "hold" | "capture" | "release";

/** The accounts that each movement takes credits from and adds them to, so that every transaction sums to zero. */
const ACCOUNTS = {
  hold: ["available", "held"],
  capture: ["held", "revenue"],
  release: ["held", "available"],
} as const satisfies Record<Movement, readonly [string, string]>;

/** SQL of the round of a movement `m`: see `credit_txn`. */
const ROUNDS = {
  first: "0",
  next: "coalesce((select max(t.round) + 1 from credit_txn t where t.request_id = m.request_id and t.kind = 'hold'), 0)",
  current:
    "coalesce((select max(t.round) from credit_txn t where t.request_id = m.request_id and t.kind = 'hold'), 0)",
} as const;

/**
 * Holds the credits of new requests. Throws UnrecoverableError `insufficient_credits`, so that the batch is refused.
 */
export function holdCredits(tx: Queryable, requests: readonly CreditedRequest[]): Promise<void> {
  return hold(tx, requests, "first");
}

/**
 * Holds the credits of requests that are retried, the oldest first, as far as each tenant has credits. Returns the ids of
 * those that their tenants cannot pay. `requests` must be sorted by id.
 */
export async function holdAgain(
  tx: Queryable,
  requests: readonly CreditedRequest[],
): Promise<Set<string>> {
  const charged = requests.filter(({ credits }) => credits > 0);
  if (charged.length === 0) return new Set();
  const { rows } = await tx.query<{ id: string; available: number }>({
    name: "lock_balances",
    text: "select id, available from tenant where id = any ($1::text[]) order by id for update",
    values: [[...new Set(charged.map(({ tenant }) => tenant))]],
  });
  const left = new Map(rows.map(({ id, available }) => [id, available]));
  const covered = charged.filter(({ tenant, credits }) => {
    const available = left.get(tenant) ?? 0;
    if (available < credits) return false;
    left.set(tenant, available - credits);
    return true;
  });
  await hold(tx, covered, "next");
  const unpaid = new Set(charged.map(({ id }) => id));
  for (const { id } of covered) unpaid.delete(id);
  return unpaid;
}

async function hold(
  tx: Queryable,
  requests: readonly CreditedRequest[],
  round: keyof typeof ROUNDS,
): Promise<void> {
  const charged = requests.filter(({ credits }) => credits > 0);
  if (charged.length === 0) return;
  const needs = sumByTenant(charged);
  // One update of each tenant's row per batch, because the row stays locked until the commit.
  const { rows } = await tx.query<{ id: string }>({
    name: "hold_balances",
    text: `with need as (
        select t.id, n.credits from tenant t join unnest($1::text[], $2::bigint[]) as n (id, credits) using (id)
        order by t.id for update of t)
      update tenant t set available = t.available - need.credits, held = t.held + need.credits
      from need where t.id = need.id and t.available >= need.credits
      returning t.id`,
    values: [[...needs.keys()], [...needs.values()]],
  });
  const covered = new Set(rows.map((row) => row.id));
  for (const [tenant, need] of needs) {
    if (covered.has(tenant)) continue;
    throw new UnrecoverableError(
      "insufficient_credits",
      `tenant ${tenant} has fewer than the ${need} credits that this costs`,
    );
  }
  await tx.query({
    name: "mark_credits_held",
    text: "update request set credits_held = credits where id = any ($1::text[])",
    values: [charged.map(({ id }) => id)],
  });
  await bookMovements(tx, "hold", charged, round);
}

/** Captures what `payerIds` hold and releases what the others hold. Requests that hold nothing are skipped. */
export async function endHolds(
  tx: Queryable,
  requestIds: readonly string[],
  payerIds: ReadonlySet<string>,
): Promise<void> {
  if (requestIds.length === 0) return;
  const { rows } = await tx.query<CreditedRequest>({
    name: "take_held_credits",
    text: `with holding as (
        select id, credits_held from request where id = any ($1::text[]) and credits_held > 0 order by id for update)
      update request r set credits_held = 0 from holding where r.id = any (array[holding.id])
      returning r.id, r.tenant, holding.credits_held as credits`,
    values: [requestIds],
  });
  if (rows.length === 0) return;
  const captured = rows.filter(({ id }) => payerIds.has(id));
  const released = rows.filter(({ id }) => !payerIds.has(id));
  const freed = sumByTenant(rows);
  const returned = sumByTenant(released);
  await tx.query({
    name: "end_balances",
    text: `with freed as (
        select t.id, n.held, n.available from tenant t
        join unnest($1::text[], $2::bigint[], $3::bigint[]) as n (id, held, available) using (id)
        order by t.id for update of t)
      update tenant t set held = t.held - freed.held, available = t.available + freed.available
      from freed where t.id = freed.id`,
    values: [
      [...freed.keys()],
      [...freed.values()],
      [...freed.keys()].map((tenant) => returned.get(tenant) ?? 0),
    ],
  });
  await bookMovements(tx, "capture", captured, "current");
  await bookMovements(tx, "release", released, "current");
}

/** Gives a tenant credits. Creates the tenant if it does not exist. */
export async function grantCredits(tx: Queryable, tenant: string, credits: number): Promise<void> {
  await tx.query(
    `insert into tenant (id, available) values ($1, $2)
     on conflict (id) do update set available = tenant.available + excluded.available`,
    [tenant, credits],
  );
  await tx.query(
    `with txn as (insert into credit_txn (tenant, kind) values ($1, 'grant') returning id)
     insert into credit_entry (txn_id, account, amount)
     select txn.id, e.account, e.amount from txn, (values ('funding', -$2::bigint), ('available', $2::bigint)) as e (account, amount)`,
    [tenant, credits],
  );
}

async function bookMovements(
  tx: Queryable,
  kind: Movement,
  requests: readonly CreditedRequest[],
  round: keyof typeof ROUNDS,
): Promise<void> {
  if (requests.length === 0) return;
  const [from, to] = ACCOUNTS[kind];
  await tx.query({
    name: `book_movements_${round}`,
    text: `with
      -- The movements, one for each request.
      movement as (
        select * from unnest($1::text[], $2::text[], $3::bigint[]) as m (request_id, tenant, amount)),
      -- Their transactions. Each gets two entries below, one for each account.
      txn as (
        insert into credit_txn (tenant, request_id, kind, round)
        select tenant, request_id, $4, ${ROUNDS[round]} from movement m
        returning id, request_id)
      insert into credit_entry (txn_id, account, amount)
      select txn.id, e.account, e.sign * movement.amount
      from txn join movement using (request_id), (values ($5, -1), ($6, 1)) as e (account, sign)`,
    values: [
      requests.map(({ id }) => id),
      requests.map(({ tenant }) => tenant),
      requests.map(({ credits }) => credits),
      kind,
      from,
      to,
    ],
  });
}

function sumByTenant(requests: readonly CreditedRequest[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { tenant, credits } of requests) sums.set(tenant, (sums.get(tenant) ?? 0) + credits);
  return sums;
}
