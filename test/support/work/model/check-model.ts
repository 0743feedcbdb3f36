import type { Database } from "@clipmill/db";
import type { WorkStore } from "@clipmill/domain";
import fc from "fast-check";
import { type Snapshot, takeSnapshot } from "../work-snapshot.ts";
import type { Command, Real } from "./command.ts";
import { giveUp, resolve, settle } from "./end-commands.ts";
import {
  cancel,
  claim,
  dispatch,
  expire,
  extend,
  flush,
  giveBack,
  replan,
  start,
  submit,
} from "./move-commands.ts";

const COMMANDS = { minLength: 30, maxLength: 50, size: "max" } as const;
// Commands that make progress are chosen more often.
const PROGRESS = [submit, start, start, start, settle, settle, settle, settle];
const OTHERS = [dispatch, claim, extend, giveBack, expire, flush, cancel, resolve, giveUp, replan];

/**
 * Runs random orders of commands on this store, each on an empty database, and checks the invariants after each command.
 * Throws for an order that breaks one. Returns the states that jobs and requests came to, `submitted` among them.
 */
export async function checkModel(
  database: Pick<Database, "pool">,
  work: WorkStore,
  { numRuns }: { numRuns: number },
): Promise<Set<string>> {
  const states = new Set<string>();
  let latest: Promise<Snapshot> | undefined;
  const property = fc.asyncProperty(
    fc.array(fc.oneof(...PROGRESS, ...OTHERS), COMMANDS),
    async (sequence) => {
      latest = runCommands(database, work, sequence);
      const { jobs, requests } = await latest;
      for (const { state } of [...jobs, ...requests]) states.add(state);
      if (requests.some(({ submittedBy }) => submittedBy !== null)) states.add("submitted");
    },
  );
  await fc.assert(property, { numRuns, interruptAfterTimeLimit: 40_000 });
  // An interrupted run goes on in the background, and would disturb the next run on this database.
  await latest;
  return states;
}

/** Runs these commands on an empty database; returns how it stands then. */
export async function runCommands(
  { pool }: Pick<Database, "pool">,
  work: WorkStore,
  sequence: readonly Command[],
): Promise<Snapshot> {
  await pool.query(
    `truncate request, stage_job, request_stage_job, cost_entry, stage_wait, children_to_end, requests_to_advance
     restart identity cascade`,
  );
  const real: Real = { work, pool, last: await takeSnapshot(pool) };
  await fc.asyncModelRun(() => ({ model: { hints: [], tokens: [] }, real }), sequence);
  return real.last;
}
