import { createDatabase, createWorkStore, type Database } from "@clipmill/db";
import type { ChildSubmission, WorkStore } from "@clipmill/domain";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { checkModel, runCommands } from "../../support/work/model/check-model.ts";
import type { Command } from "../../support/work/model/command.ts";
import {
  type Ending,
  GIVE_UP,
  toResolve,
  toSettle,
} from "../../support/work/model/end-commands.ts";
import { toCancel, toExpire, toStart, toSubmit } from "../../support/work/model/move-commands.ts";
import { toyKinds } from "../../support/work/toy-kinds.ts";

const RUNS = 100;
const WINDOW = 3;
const LONG_MS = 3_600_000;

let testDatabase: TestDatabase;
let database: Database;
let work: WorkStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 3, name: "test", onError() {} });
  const window = { io: WINDOW, gpu: WINDOW, cpu: WINDOW, llm: WINDOW };
  work = createWorkStore(database, {
    pipelines: toyKinds,
    leaseMs: LONG_MS,
    queuedForMs: LONG_MS,
    window,
    // Few, so that a job ends in several pages.
    advancedMax: 2,
  });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

test("no order of submits, claims, ends, waits, resolutions, expiries, flushes and cancels breaks an invariant", async () => {
  const states = await checkModel(database, work, { numRuns: RUNS });
  // The runs went far enough to mean something.
  const reached = ["done", "failed", "cancelled", "open", "waiting", "submitted"];
  expect([...states]).toEqual(expect.arrayContaining(reached));
}, 60_000);

const toPage = (n: number) =>
  toSubmit({ subject: { isPost: false, n }, key: null, lane: "standard" });
const [submit, list, tally] = [toPage(0), toStart("io"), toStart("cpu")];
const PLAIN = { i: 0, nonce: 0, slots: 0, submits: 0, isCommon: false, resolves: null };
const end = (more: Partial<Ending> & Pick<Ending, "kind">) =>
  toSettle({ ...PLAIN, endsWithParent: true, ...more });
const [waits, submits] = [end({ kind: "waiting" }), end({ kind: "done", submits: 1 })];
const resolve = (i: number) => toResolve({ i, isFailure: false, isTwice: false });

/** A store that lacks one protection, what the model says of it, and the commands that the protection is for. */
interface Control {
  problem: RegExp;
  sequence: Command[];
  broken: Partial<WorkStore>;
}

let nextRun = 0;
const renameAll = (children: readonly ChildSubmission[] = []) =>
  children.map((child) => ({ ...child, key: `run ${nextRun++}` }));

const controls: [lacks: string, toControl: () => Control][] = [
  [
    "whose jobs submit again what they have submitted",
    () => ({
      problem: /I1: what a job submits|I1: one request for what a job submits/,
      // The first result binds nobody who asks later, so the job runs twice.
      sequence: [submit, list, submits, tally, end({ kind: "done" }), submit, list, submits],
      broken: {
        settle: (outcomes, eagerStart) =>
          work.settle(
            outcomes.map((each) =>
              "submit" in each ? { ...each, submit: renameAll(each.submit) } : each,
            ),
            eagerStart,
          ),
      },
    }),
  ],
  [
    "whose waits end by a token of an earlier epoch",
    () => ({
      problem: /resolved: expected \[ \{/,
      sequence: [submit, list, waits, GIVE_UP, list, waits, resolve(1)],
      broken: {
        async resolve([resolution]) {
          const { rows } = await database.pool.query<{ token: string }>(
            "select token from stage_wait",
          );
          const [wait] = rows;
          if (wait === undefined || resolution === undefined) return [];
          return await work.resolve([{ ...resolution, ...wait }]);
        },
      },
    }),
  ],
  [
    "that loses the row of a wait",
    () => ({
      problem: /I4: each waits for one token/,
      sequence: [submit, list, waits],
      broken: {
        async settle(outcomes, eagerStart) {
          const settled = await work.settle(outcomes, eagerStart);
          await database.pool.query("delete from stage_wait");
          return settled;
        },
      },
    }),
  ],
  [
    "that resolves for a worker who has lost its job",
    () => ({
      problem: /to match object/,
      sequence: [
        submit,
        list,
        waits,
        toPage(1),
        list,
        toExpire("io"),
        end({ kind: "done", resolves: 0 }),
      ],
      broken: {
        async settle(outcomes, eagerStart) {
          const settled = await work.settle(outcomes, eagerStart);
          const resolutions = outcomes.flatMap((each) =>
            "resolve" in each ? (each.resolve ?? []) : [],
          );
          if (settled.fenced.length > 0) await work.resolve(resolutions);
          return settled;
        },
      },
    }),
  ],
  [
    "whose children outlive a cancelled parent",
    () => ({
      problem: /outlived its parents/,
      sequence: [submit, list, submits, toCancel(1)],
      broken: {
        async cancel(ids) {
          const { rows } = await database.pool.query<{ id: string }>(
            "update request set state = 'cancelled', finished_at = now() where id = any ($1) returning id",
            [ids],
          );
          return rows.map(({ id }) => id);
        },
      },
    }),
  ],
];

test.each(controls)("the model sees a store %s", async (_lacks, toControl) => {
  const { problem, sequence, broken } = toControl();
  await runCommands(database, work, sequence);
  await expect(runCommands(database, { ...work, ...broken }, sequence)).rejects.toThrow(problem);
});
