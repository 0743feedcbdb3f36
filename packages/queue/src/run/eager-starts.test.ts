import type { ClaimedJob, QueueName, RunnableStage } from "@clipmill/domain";
import { expect, test } from "vitest";
import { createEagerStarts } from "./eager-starts.ts";
import { createSlots } from "./slots.ts";

const QUEUES = { fetch: "io", hear: "gpu", answer: "llm" } as const;
const NEXT: Record<string, string[]> = { fetch: ["hear"], hear: ["answer"] };
const SLOTS = 4;

/** fetch (io) → hear (gpu) → answer (llm), of which this process drains all but what is left out. */
function createToyCarrier({ drains = ["io", "gpu", "llm"] as QueueName[] } = {}) {
  const slots = new Map(drains.map((queue) => [queue, createSlots(SLOTS)]));
  const stages = new Map<string, RunnableStage>(
    Object.entries(QUEUES).map(([name, queue]) => [
      name,
      { name, queue, attempts: 1, timeoutMs: 1_000, run: () => Promise.resolve({ output: {} }) },
    ]),
  );
  const ran: string[] = [];
  const ends: (() => void)[] = [];
  const eagerStarts = createEagerStarts({
    stages,
    route: { slots, next: (stage) => NEXT[stage] ?? [] },
    workerId: "worker-1",
    run(job) {
      ran.push(job.stage);
      return new Promise<void>((end) => ends.push(end));
    },
  });
  return { eagerStarts, slots, ran, endAll: () => ends.splice(0).forEach((end) => end()) };
}

function toJob(id: number, stage: string): ClaimedJob {
  return {
    id,
    epoch: 1,
    stage,
    key: "k",
    input: {},
    attempts: 0,
    lane: "standard",
    ageMs: 0,
    expiredToken: null,
  };
}

test("a stage that never ran here is not carried on: nobody knows how long it takes", () => {
  const { eagerStarts } = createToyCarrier();
  expect(eagerStarts.reserve(["fetch"])).toBeNull();
  eagerStarts.note("hear", 5);
  expect(eagerStarts.reserve(["fetch", "fetch"])).toEqual({
    workerId: "worker-1",
    stages: ["hear"],
    slots: { gpu: 2 },
  });
});

test("a stage that takes a second is left to whoever is free first, until it is quick again", () => {
  const { eagerStarts } = createToyCarrier();
  eagerStarts.note("hear", 1_500);
  expect(eagerStarts.reserve(["fetch"])).toBeNull();
  for (let n = 0; n < 8; n++) eagerStarts.note("hear", 10);
  expect(eagerStarts.reserve(["fetch"])).toMatchObject({ slots: { gpu: 1 } });
});

test("a failure makes no stage quick, and one that took long makes it slow", () => {
  const { eagerStarts } = createToyCarrier();
  eagerStarts.note("hear", 5, false);
  expect(eagerStarts.reserve(["fetch"])).toBeNull();
  eagerStarts.note("hear", 900);
  eagerStarts.note("hear", 5, false);
  eagerStarts.note("hear", 10_000, false);
  expect(eagerStarts.reserve(["fetch"])).toBeNull();
});

test("a queue that this process does not drain, and a stage that nothing follows, take no slots", () => {
  const { eagerStarts } = createToyCarrier({ drains: ["io", "llm"] });
  for (const stage of Object.keys(QUEUES)) eagerStarts.note(stage, 1);
  expect(eagerStarts.reserve(["fetch"])).toBeNull();
  expect(eagerStarts.reserve(["answer"])).toBeNull();
  expect(eagerStarts.reserve(["hear"])).toMatchObject({ slots: { llm: 1 } });
});

test("slots that were reserved and not needed are free again, the others when their jobs end", async () => {
  const { eagerStarts, slots, ran, endAll } = createToyCarrier();
  eagerStarts.note("hear", 1);
  const reserved = eagerStarts.reserve(["fetch", "fetch", "fetch"]);
  if (reserved === null) throw new Error("nothing was reserved");
  expect(slots.get("gpu")?.takeEager(SLOTS)).toBe(0);
  eagerStarts.start(reserved, [toJob(1, "hear")]);
  expect(ran).toEqual(["hear"]);
  expect(slots.get("gpu")?.takeEager(SLOTS)).toBe(2);
  slots.get("gpu")?.leaveEager(2);
  endAll();
  await new Promise((resolve) => setImmediate(resolve));
  expect(slots.get("gpu")?.takeEager(SLOTS)).toBe(3);
});

test("what is about to be stored keeps a slot for what follows, as long as it is", async () => {
  const { eagerStarts, slots } = createToyCarrier();
  eagerStarts.note("hear", 1);
  const gpu = slots.get("gpu");
  const started: number[] = [];
  for (let n = 0; n < SLOTS + 1; n++) void gpu?.take().then(() => started.push(n));
  const stored = eagerStarts.expect("fetch");
  gpu?.leave();
  await new Promise((resolve) => setImmediate(resolve));
  expect(started).toHaveLength(SLOTS);
  stored();
  await new Promise((resolve) => setImmediate(resolve));
  expect(started).toHaveLength(SLOTS + 1);
});

test("where nothing is carried on all slots are for hints, until something is", async () => {
  const { eagerStarts, slots, endAll } = createToyCarrier();
  eagerStarts.note("hear", 1);
  const gpu = slots.get("gpu");
  const started: number[] = [];
  const ask = () => void gpu?.take().then(() => started.push(0));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const reserve = () => {
    const reserved = eagerStarts.reserve(["fetch"]);
    if (reserved === null) throw new Error("nothing was reserved");
    return reserved;
  };
  for (let n = 0; n < 2 * SLOTS; n++) eagerStarts.expect("fetch");
  eagerStarts.start(reserve(), []);
  for (let n = 0; n < SLOTS + 1; n++) ask();
  await settle();
  expect(started).toHaveLength(SLOTS);
  gpu?.leave();
  await settle();
  expect(started).toHaveLength(SLOTS + 1);

  gpu?.leave();
  eagerStarts.start(reserve(), [toJob(1, "hear")]);
  for (let n = 0; n < SLOTS; n++) ask();
  endAll();
  gpu?.leave();
  await settle();
  expect(started).toHaveLength(SLOTS + 1);
});

test("closing takes no more, and waits for what was carried on and for what may still come of a reservation", async () => {
  const { eagerStarts, endAll } = createToyCarrier();
  eagerStarts.note("hear", 1);
  const reserved = eagerStarts.reserve(["fetch"]);
  if (reserved === null) throw new Error("nothing was reserved");
  let isClosed = false;
  const closed = eagerStarts.close().then(() => (isClosed = true));
  expect(eagerStarts.reserve(["fetch"])).toBeNull();
  eagerStarts.start(reserved, [toJob(1, "hear")]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  endAll();
  await closed;
});
