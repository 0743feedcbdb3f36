import type { ClaimedJob, QueueName, RunnableStage } from "@clipmill/domain";
import { expect, test } from "vitest";
import { createEagerStarts } from "./eager-starts.ts";
import { createSlots } from "../slots.ts";
import { createRunTimes } from "./run-times.ts";

const QUEUES = { fetch: "io", hear: "gpu", answer: "llm" } as const;
const NEXT: Record<string, string[]> = { fetch: ["hear"], hear: ["answer"] };
const SLOTS = 4;

/** fetch (io) → hear (gpu) → answer (llm), of which this process drains all but what is left out. */
function createToyStarts({ drains = ["io", "gpu", "llm"] as QueueName[] } = {}) {
  const slots = new Map(drains.map((queue) => [queue, createSlots(SLOTS)]));
  const stages = new Map<string, RunnableStage>(
    Object.entries(QUEUES).map(([name, queue]) => [
      name,
      { name, queue, attempts: 1, timeoutMs: 1_000, run: () => Promise.resolve({ output: {} }) },
    ]),
  );
  const runTimes = createRunTimes();
  const eagerStarts = createEagerStarts({
    stages,
    route: { slots, next: (stage) => NEXT[stage] ?? [] },
    workerId: "worker-1",
    runTimes,
  });
  const note = (stage: string, durationMs: number, hasResult = true) =>
    runTimes.note(stage, durationMs, hasResult);
  return { eagerStarts, slots, note };
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

test("a stage that never ran here does not start eagerly: nobody knows how long it takes", () => {
  const { eagerStarts, note } = createToyStarts();
  expect(eagerStarts.takeSlots(["fetch"])).toBeNull();
  note("hear", 5);
  expect(eagerStarts.takeSlots(["fetch", "fetch"])).toEqual({
    workerId: "worker-1",
    stages: ["hear"],
    slots: { gpu: 2 },
  });
});

test("a stage that takes a second is left to whoever is free first, until it is quick again", () => {
  const { eagerStarts, note } = createToyStarts();
  note("hear", 1_500);
  expect(eagerStarts.takeSlots(["fetch"])).toBeNull();
  for (let n = 0; n < 8; n++) note("hear", 10);
  expect(eagerStarts.takeSlots(["fetch"])).toMatchObject({ slots: { gpu: 1 } });
});

test("a failure makes no stage quick, and one that took long makes it slow", () => {
  const { eagerStarts, note } = createToyStarts();
  note("hear", 5, false);
  expect(eagerStarts.takeSlots(["fetch"])).toBeNull();
  note("hear", 900);
  note("hear", 5, false);
  note("hear", 10_000, false);
  expect(eagerStarts.takeSlots(["fetch"])).toBeNull();
});

test("a queue that this process does not drain, and a stage that nothing follows, take no slots", () => {
  const { eagerStarts, note } = createToyStarts({ drains: ["io", "llm"] });
  for (const stage of Object.keys(QUEUES)) note(stage, 1);
  expect(eagerStarts.takeSlots(["fetch"])).toBeNull();
  expect(eagerStarts.takeSlots(["answer"])).toBeNull();
  expect(eagerStarts.takeSlots(["hear"])).toMatchObject({ slots: { llm: 1 } });
});

test("slots that were taken and not needed are free again, the others when their jobs end", () => {
  const { eagerStarts, slots, note } = createToyStarts();
  note("hear", 1);
  const taken = eagerStarts.takeSlots(["fetch", "fetch", "fetch"]);
  if (taken === null) throw new Error("no slot was taken");
  expect(slots.get("gpu")?.takeEager(SLOTS)).toBe(0);
  const job = toJob(1, "hear");
  eagerStarts.returnUnused(taken, [job]);
  expect(slots.get("gpu")?.takeEager(SLOTS)).toBe(2);
  slots.get("gpu")?.leaveEager(2);
  eagerStarts.leave(job);
  expect(slots.get("gpu")?.takeEager(SLOTS)).toBe(3);
});

test("a result that is about to be stored keeps a slot for what follows until it is stored", async () => {
  const { eagerStarts, slots, note } = createToyStarts();
  note("hear", 1);
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

test("where nothing starts eagerly all slots are for hints, until something does", async () => {
  const { eagerStarts, slots, note } = createToyStarts();
  note("hear", 1);
  const gpu = slots.get("gpu");
  const started: number[] = [];
  const ask = () => void gpu?.take().then(() => started.push(0));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const take = () => {
    const taken = eagerStarts.takeSlots(["fetch"]);
    if (taken === null) throw new Error("no slot was taken");
    return taken;
  };
  for (let n = 0; n < 2 * SLOTS; n++) eagerStarts.expect("fetch");
  eagerStarts.returnUnused(take(), []);
  for (let n = 0; n < SLOTS + 1; n++) ask();
  await settle();
  expect(started).toHaveLength(SLOTS);
  gpu?.leave();
  await settle();
  expect(started).toHaveLength(SLOTS + 1);

  gpu?.leave();
  const job = toJob(1, "hear");
  eagerStarts.returnUnused(take(), [job]);
  for (let n = 0; n < SLOTS; n++) ask();
  eagerStarts.leave(job);
  gpu?.leave();
  await settle();
  expect(started).toHaveLength(SLOTS + 1);
});

test("closing takes no more slots, and waits for jobs that started eagerly and for those that still may", async () => {
  const { eagerStarts, note } = createToyStarts();
  note("hear", 1);
  const taken = eagerStarts.takeSlots(["fetch"]);
  if (taken === null) throw new Error("no slot was taken");
  let isClosed = false;
  const closed = eagerStarts.close().then(() => (isClosed = true));
  expect(eagerStarts.takeSlots(["fetch"])).toBeNull();
  const job = toJob(1, "hear");
  eagerStarts.returnUnused(taken, [job]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  eagerStarts.leave(job);
  await closed;
});
