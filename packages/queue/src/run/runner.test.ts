import {
  type EagerStart,
  type ClaimedJob,
  type JobRef,
  type Log,
  RetryableError,
  type RunnableStage,
} from "@clipmill/domain";
import { expect, test, vi } from "vitest";
import { createRunner, type RunnerDeps } from "./runner.ts";
import { createSlots } from "./slots.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

/** A runner on a store that grants everything but what `work` says. */
function createToyRunner(
  stages: RunnableStage | readonly RunnableStage[],
  work: Partial<RunnerDeps["work"]> & Pick<RunnerDeps["work"], "claim">,
  route?: RunnerDeps["route"],
) {
  return createRunner({
    stages: [stages].flat(),
    ...(route === undefined ? {} : { route }),
    work: {
      startAlone: () => Promise.resolve(true),
      extend: (refs) => Promise.resolve([...refs]),
      extendSettling: () => Promise.resolve(),
      settle: () => Promise.resolve({ fenced: [], enqueued: [], started: [] }),
      return: () => Promise.resolve(),
      ...work,
    },
    hints: { push: () => Promise.resolve() },
    ledger: {
      open: (intents) => Promise.resolve(intents.map(() => 1)),
      fail: () => Promise.resolve(),
    },
    workerId: "test",
    leaseMs: 1_000,
    log,
  });
}

test("a job runs once, whichever hints of it stand in one batch", async () => {
  let runs = 0;
  const stage: RunnableStage = {
    name: "toy",
    queue: "io",
    attempts: 1,
    timeoutMs: 1_000,
    run: () => {
      runs++;
      return Promise.resolve({ output: {} });
    },
  };
  const current = { id: 1, epoch: 2 };
  const job: ClaimedJob = {
    ...current,
    stage: "toy",
    key: "k",
    input: {},
    attempts: 0,
    lane: "standard",
    ageMs: 0,
    expiredToken: null,
  };
  const batches: (readonly JobRef[])[] = [];
  const runner = createToyRunner(stage, {
    claim: (refs) => {
      batches.push(refs);
      return Promise.resolve([job]);
    },
  });
  const ends = await Promise.all(
    [{ id: 1, epoch: 1 }, current, current].map((ref) => runner.run(ref)),
  );
  await runner.close();
  expect(batches).toHaveLength(1);
  expect(ends.map(({ kind }) => kind)).toEqual(["stale", "done", "stale"]);
  expect(runs).toBe(1);
});

test("a job that runs alone waits until the outcome of the one before is stored", async () => {
  const started: string[] = [];
  const begun: number[] = [];
  const storing = Promise.withResolvers<void>();
  const stage: RunnableStage = {
    name: "toy",
    queue: "io",
    attempts: 1,
    timeoutMs: 1_000,
    run: (input) => {
      started.push(String(input));
      return Promise.resolve({ output: {} });
    },
  };
  const toJob = ({ id, epoch }: JobRef): ClaimedJob => ({
    id,
    epoch,
    stage: "toy",
    key: "k",
    input: id,
    attempts: 0,
    lane: "quarantine",
    ageMs: 0,
    expiredToken: null,
  });
  const runner = createToyRunner(stage, {
    claim: (refs) => Promise.resolve(refs.map(toJob)),
    startAlone: ({ id }) => {
      begun.push(id);
      return Promise.resolve(id !== 3);
    },
    settle: async () => {
      await storing.promise;
      return { fenced: [], enqueued: [], started: [] };
    },
  });
  // Its slot is free at once, but a crash of the second job must not count against the first, too.
  await runner.run({ id: 1, epoch: 1 });
  const second = runner.run({ id: 2, epoch: 1 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect({ started, begun }).toEqual({ started: ["1"], begun: [1] });
  storing.resolve();
  await second;
  // A job that is no longer ours when it may start does not run.
  expect(await runner.run({ id: 3, epoch: 1 })).toMatchObject({ kind: "released" });
  expect({ started, begun }).toEqual({ started: ["1", "2"], begun: [1, 2, 3] });
  await runner.close();
});

const TOY: RunnableStage = {
  name: "toy",
  queue: "io",
  attempts: 1,
  timeoutMs: 1_000,
  run: () => Promise.resolve({ output: {} }),
};

const toClaimed = ({ id, epoch }: JobRef): ClaimedJob => {
  return {
    id,
    epoch,
    stage: "toy",
    key: "k",
    input: {},
    attempts: 0,
    lane: "standard",
    ageMs: 0,
    expiredToken: null,
  };
};

test("only a result says how long a stage takes: what fails at once is not quick for it", async () => {
  let isPaused = true;
  const shape = { attempts: 9, timeoutMs: 1_000 };
  const fetch: RunnableStage = {
    ...shape,
    name: "fetch",
    queue: "io",
    run: () => Promise.resolve({ output: {} }),
  };
  const hear: RunnableStage = {
    ...shape,
    name: "hear",
    queue: "gpu",
    run: async () => {
      if (isPaused) throw new RetryableError("paused", "not now");
      return { output: {} };
    },
  };
  const routes: (EagerStart | undefined)[] = [];
  const toJob = ({ id, epoch }: JobRef): ClaimedJob => {
    return { ...toClaimed({ id, epoch }), stage: id % 2 === 0 ? "hear" : "fetch" };
  };
  const runner = createToyRunner(
    [fetch, hear],
    {
      claim: (refs) => Promise.resolve(refs.map(toJob)),
      settle: (_outcomes, eagerStart) => {
        routes.push(eagerStart);
        return Promise.resolve({ fenced: [], enqueued: [], started: [] });
      },
    },
    {
      slots: new Map([["gpu" as const, createSlots(2)]]),
      next: (stage) => (stage === "fetch" ? ["hear"] : []),
    },
  );
  const run = async (id: number) => {
    const count = routes.length;
    await runner.run({ id, epoch: 1 });
    await vi.waitFor(() => expect(routes).toHaveLength(count + 1));
    return routes.at(-1);
  };
  await run(2);
  expect(await run(1)).toBeUndefined();
  isPaused = false;
  await run(4);
  expect(await run(3)).toMatchObject({ slots: { gpu: 1 } });
  await runner.close();
});

test("a hint outlives a database that is away for a moment", async () => {
  let tries = 0;
  const runner = createToyRunner(TOY, {
    claim: (refs) =>
      ++tries === 1
        ? Promise.reject(new Error("connection refused"))
        : Promise.resolve(refs.map(toClaimed)),
  });
  expect(await runner.run({ id: 1, epoch: 1 })).toEqual({ kind: "done", code: null });
  await runner.close();
});

test("a lease is extended until the outcome is stored, and not a moment longer", async () => {
  const extended: number[][] = [];
  const storing = Promise.withResolvers<void>();
  const runner = createToyRunner(TOY, {
    claim: (refs) => Promise.resolve(refs.map(toClaimed)),
    extendSettling: (refs) => Promise.resolve(void extended.push(refs.map(({ id }) => id))),
    settle: async () => {
      await storing.promise;
      return { fenced: [], enqueued: [], started: [] };
    },
  });
  await runner.run({ id: 1, epoch: 1 });
  await vi.waitFor(() => expect(extended).toContainEqual([1]));
  storing.resolve();
  await vi.waitFor(() => expect(runner.count()).toBe(0));
  extended.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(extended).toEqual([]);
  await runner.close();
});

test("a hint that is taken while the worker stops goes back at once", async () => {
  const returned: JobRef[] = [];
  const runner = createToyRunner(TOY, {
    claim: (refs) => Promise.resolve(refs.map(toClaimed)),
    return: (refs) => Promise.resolve(void returned.push(...refs)),
  });
  runner.releaseAll();
  expect(await runner.run({ id: 1, epoch: 1 })).toEqual({ kind: "stale", code: null });
  expect(returned).toEqual([{ id: 1, epoch: 1 }]);
  await runner.close();
});

test("next steps that started with a batch run once each, and give their slots back", async () => {
  const ran: string[] = [];
  const shape = { attempts: 1, timeoutMs: 1_000 };
  const toStage = (name: string, queue: "io" | "gpu"): RunnableStage => ({
    ...shape,
    name,
    queue,
    run: (input) => {
      ran.push(`${name} ${String(input)}`);
      return Promise.resolve({ output: {} });
    },
  });
  const toJob = (id: number, stage: string): ClaimedJob => ({
    ...toClaimed({ id, epoch: 1 }),
    stage,
    input: id,
  });
  const slots = createSlots(4);
  const runner = createToyRunner(
    [toStage("fetch", "io"), toStage("hear", "gpu")],
    {
      claim: (refs) => Promise.resolve(refs.map(({ id }) => toJob(id, id > 9 ? "hear" : "fetch"))),
      settle: (outcomes, eagerStart) =>
        Promise.resolve({
          fenced: [],
          enqueued: [],
          started: outcomes
            .slice(0, eagerStart?.slots.gpu ?? 0)
            .map(({ id }) => toJob(id * 100, "hear")),
        }),
    },
    {
      slots: new Map([["gpu" as const, slots]]),
      next: (stage) => (stage === "fetch" ? ["hear"] : []),
    },
  );
  const hint = (id: number) => runner.run({ id, epoch: 1 });
  await hint(10);
  await vi.waitFor(() => expect(runner.count()).toBe(0));
  await Promise.all([1, 2].map(hint));
  await vi.waitFor(() => expect(ran).toHaveLength(5));
  await runner.drain();
  expect(ran).toEqual(["hear 10", "fetch 1", "fetch 2", "hear 100", "hear 200"]);
  expect(slots.takeEager(4)).toBe(3);
  await runner.close();
});
