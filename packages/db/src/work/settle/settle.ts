import { type JobRef, type Outcome, type Settled, UnrecoverableError } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { notify } from "../../notify.ts";
import { advanceAttached } from "../plan/advance-attached.ts";
import type { Planning } from "../plan/planning.ts";
import { resolveWaits } from "./resolve.ts";
import { choose, ended, inMs, isWaiting, retried, toSet, waiting } from "../states.ts";
import { type SettledJob, submitChildren } from "./submit.ts";

/** Outcomes that may carry records, paid calls, submissions and resolutions. */
type Effective = Extract<Outcome, { kind: "done" | "waiting" }>;

/**
 * Stores outcomes in the caller's transaction: the jobs' states, records, prices, what they submit and resolve, and the
 * next steps of every request that needs them. An outcome of an older epoch writes nothing and is returned as fenced.
 */
export async function settleOutcomes(
  tx: Queryable,
  planning: Planning,
  outcomes: readonly Outcome[],
): Promise<Settled> {
  const first = toFirstOfEach(outcomes);
  const held = await applyOutcomes(tx, first);
  const own = first.filter(({ id, epoch }) => held.get(id)?.epoch === epoch);
  const effective = own.filter((outcome) => isEffective(outcome));
  await planning.records.save(
    tx,
    effective.flatMap(({ records }) => records),
  );
  await settleCalls(tx, effective);
  await storeWaits(tx, effective);
  await submitChildren(tx, planning, held, effective);
  const resolved = await resolveWaits(
    tx,
    effective.flatMap(({ resolve = [] }) => resolve),
  );
  const { enqueued, started } = await advanceAttached(tx, planning, [
    ...own.filter(isEnd).map(({ id }) => id),
    ...resolved.map(({ id }) => id),
  ]);
  const settled = new Set(own);
  const fenced = outcomes.filter((outcome) => !settled.has(outcome)).map(toRef);
  return { fenced, enqueued, started };
}

/** If a batch holds two outcomes of the same job and epoch, only the first counts. */
function toFirstOfEach(outcomes: readonly Outcome[]): Outcome[] {
  const byRef = new Map(outcomes.toReversed().map((each) => [`${each.id}-${each.epoch}`, each]));
  return outcomes.filter((each) => byRef.get(`${each.id}-${each.epoch}`) === each);
}

function isEffective(outcome: Outcome): outcome is Effective & JobRef {
  return outcome.kind === "done" || outcome.kind === "waiting";
}

function isEnd({ kind }: Outcome): boolean {
  return kind === "done" || kind === "skipped" || kind === "failed";
}

function toRef({ id, epoch }: JobRef): JobRef {
  return { id, epoch };
}

const SETTLED = choose(
  [
    "o.kind in ('retry', 'released')",
    retried(inMs("o.ms"), {
      code: "o.code",
      message: "o.message",
      upstream: "o.upstream",
      putOff: "o.kind = 'retry' and not o.counts",
    }),
  ],
  ["o.kind = 'waiting'", waiting(inMs("o.ms"))],
  [
    "true",
    ended({
      state: "o.kind",
      output: "o.result::jsonb",
      code: "o.code",
      message: "o.message",
      upstream: "o.upstream",
    }),
  ],
);

/**
 * Checks the epoch and sets the new state in one statement: jobs that the caller still holds end, wait or become ready.
 * Locks in id order, as every writer does. Returns these jobs, by id.
 */
async function applyOutcomes(
  tx: Queryable,
  outcomes: readonly Outcome[],
): Promise<Map<number, SettledJob>> {
  const failure = outcomes.map((outcome) => ("code" in outcome ? outcome : null));
  const { rows } = await tx.query<SettledJob & { queue: string; state: string }>({
    name: "apply_outcomes",
    text: `update stage_job j set ${toSet(SETTLED, { attempts: "j.attempts + (o.counts or o.kind = 'failed')::int" })}
      from (
        select * from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::float8[], $9::boolean[])
          as given (id, epoch, kind, result, code, message, upstream, ms, counts)
        order by given.id) o
      where j.id = any (array[o.id]) and j.epoch = o.epoch and j.state = 'running'
      returning j.id, j.epoch, j.queue, j.state, j.tenant, j.lane, j.start_by::text as "startBy"`,
    values: [
      outcomes.map(({ id }) => id),
      outcomes.map(({ epoch }) => epoch),
      outcomes.map(({ kind }) => kind),
      outcomes.map((outcome) => (outcome.kind === "done" ? JSON.stringify(outcome.output) : null)),
      failure.map((f) => f?.code ?? null),
      failure.map((f) => f?.message ?? null),
      failure.map((f) => f?.upstream ?? null),
      outcomes.map(toMs),
      outcomes.map((outcome) => outcome.kind === "retry" && outcome.counts),
    ],
  });
  const readyQueues = rows.filter((row) => row.state === "ready").map((row) => row.queue);
  await notify(tx, "clipmill_ready", [...new Set(readyQueues)]);
  return new Map(rows.map((row) => [row.id, row]));
}

function toMs(outcome: Outcome): number {
  if (outcome.kind === "waiting") return outcome.timeoutMs;
  return ("delayMs" in outcome ? outcome.delayMs : 0) ?? 0;
}

async function settleCalls(tx: Queryable, outcomes: readonly Effective[]): Promise<void> {
  const calls = outcomes.flatMap((outcome) => outcome.calls);
  if (calls.length === 0) return;
  await tx.query({
    name: "settle_calls",
    text: `update cost_entry c set state = 'settled', usd = s.usd
      from unnest($1::bigint[], $2::numeric[]) as s (id, usd)
      where c.id = any (array[s.id])`,
    values: [calls.map((call) => call.callId), calls.map((call) => call.usd)],
  });
}

async function storeWaits(tx: Queryable, outcomes: readonly (Effective & JobRef)[]): Promise<void> {
  const waits = outcomes.filter((outcome) => outcome.kind === "waiting");
  if (waits.length === 0) return;
  const tokens = waits.map(({ token }) => token);
  // Waits for the same tokens whose jobs no longer wait would make the insert below fail.
  await tx.query({
    name: "drop_void_waits",
    text: `delete from stage_wait w using unnest($1::text[]) as given (token)
      where w.token = any (array[given.token]) and not ${isWaiting("w")}`,
    values: [tokens],
  });
  const { rowCount } = await tx.query({
    name: "store_waits",
    text: `insert into stage_wait (token, stage_job_id, epoch, expires_at)
      select token, id, epoch, ${inMs("ms")}
      from unnest($1::text[], $2::bigint[], $3::integer[], $4::float8[]) as given (token, id, epoch, ms)
      order by token
      on conflict (token) do nothing`,
    values: [
      tokens,
      waits.map(({ id }) => id),
      waits.map(({ epoch }) => epoch),
      waits.map(({ timeoutMs }) => timeoutMs),
    ],
  });
  // Refused, because one resolution would end both jobs.
  if (rowCount !== waits.length)
    throw new UnrecoverableError("invalid_input", "another job waits for the same token already");
}
