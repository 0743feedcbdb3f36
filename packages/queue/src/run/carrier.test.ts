import type { ClaimedJob, QueueName, RunnableStage } from "@clipmill/domain";
import { expect, test } from "vitest";
import { createCarrier } from "./carrier.ts";
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
  const carrier = createCarrier({
    stages,
    route: { slots, next: (stage) => NEXT[stage] ?? [] },
    workerId: "worker-1",
    run(job) {
      ran.push(job.stage);
      return new Promise<void>((end) => ends.push(end));
    },
  });
  return { carrier, slots, ran, endAll: () => ends.splice(0).forEach((end) => end()) };
}

function toJob(id: number, stage: string): ClaimedJob {
  return { id, epoch: 1, stage, key: "k", input: {}, attempts: 0, lane: "standard", ageMs: 0 };
}

test("a stage that never ran here is not carried on: nobody knows how long it takes", () => {
  const { carrier } = createToyCarrier();
  expect(carrier.reserve(["fetch"])).toBeNull();
  carrier.note("hear", 5);
  expect(carrier.reserve(["fetch", "fetch"])).toEqual({
    workerId: "worker-1",
    stages: ["hear"],
    slots: { gpu: 2 },
  });
});

test("a stage that takes a second is left to whoever is free first, until it is quick again", () => {
  const { carrier } = createToyCarrier();
  carrier.note("hear", 1_500);
  expect(carrier.reserve(["fetch"])).toBeNull();
  for (let n = 0; n < 8; n++) carrier.note("hear", 10);
  expect(carrier.reserve(["fetch"])).toMatchObject({ slots: { gpu: 1 } });
});

test("a failure makes no stage quick, and one that took long makes it slow", () => {
  const { carrier } = createToyCarrier();
  carrier.note("hear", 5, false);
  expect(carrier.reserve(["fetch"])).toBeNull();
  carrier.note("hear", 900);
  carrier.note("hear", 5, false);
  carrier.note("hear", 10_000, false);
  expect(carrier.reserve(["fetch"])).toBeNull();
});

test("a queue that this process does not drain, and a stage that nothing follows, take no slots", () => {
  const { carrier } = createToyCarrier({ drains: ["io", "llm"] });
  for (const stage of Object.keys(QUEUES)) carrier.note(stage, 1);
  expect(carrier.reserve(["fetch"])).toBeNull();
  expect(carrier.reserve(["answer"])).toBeNull();
  expect(carrier.reserve(["hear"])).toMatchObject({ slots: { llm: 1 } });
});

test("slots that were reserved and not needed are free again, the others when their jobs end", async () => {
  const { carrier, slots, ran, endAll } = createToyCarrier();
  carrier.note("hear", 1);
  const reserved = carrier.reserve(["fetch", "fetch", "fetch"]);
  if (reserved === null) throw new Error("nothing was reserved");
  expect(slots.get("gpu")?.takeToCarryOn(SLOTS)).toBe(0);
  carrier.start(reserved, [toJob(1, "hear")]);
  expect(ran).toEqual(["hear"]);
  expect(slots.get("gpu")?.takeToCarryOn(SLOTS)).toBe(2);
  slots.get("gpu")?.leaveCarried(2);
  endAll();
  await new Promise((resolve) => setImmediate(resolve));
  expect(slots.get("gpu")?.takeToCarryOn(SLOTS)).toBe(3);
});

test("what is about to be stored keeps a slot for what follows, as long as it is", async () => {
  const { carrier, slots } = createToyCarrier();
  carrier.note("hear", 1);
  const gpu = slots.get("gpu");
  const started: number[] = [];
  for (let n = 0; n < SLOTS + 1; n++) void gpu?.take().then(() => started.push(n));
  const stored = carrier.expect("fetch");
  gpu?.leave();
  await new Promise((resolve) => setImmediate(resolve));
  expect(started).toHaveLength(SLOTS);
  stored();
  await new Promise((resolve) => setImmediate(resolve));
  expect(started).toHaveLength(SLOTS + 1);
});

test("where nothing is carried on all slots are for hints, until something is", async () => {
  const { carrier, slots, endAll } = createToyCarrier();
  carrier.note("hear", 1);
  const gpu = slots.get("gpu");
  const started: number[] = [];
  const ask = () => void gpu?.take().then(() => started.push(0));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const reserve = () => {
    const reserved = carrier.reserve(["fetch"]);
    if (reserved === null) throw new Error("nothing was reserved");
    return reserved;
  };
  for (let n = 0; n < 2 * SLOTS; n++) carrier.expect("fetch");
  carrier.start(reserve(), []);
  for (let n = 0; n < SLOTS + 1; n++) ask();
  await settle();
  expect(started).toHaveLength(SLOTS);
  gpu?.leave();
  await settle();
  expect(started).toHaveLength(SLOTS + 1);

  gpu?.leave();
  carrier.start(reserve(), [toJob(1, "hear")]);
  for (let n = 0; n < SLOTS; n++) ask();
  endAll();
  gpu?.leave();
  await settle();
  expect(started).toHaveLength(SLOTS + 1);
});

test("closing takes no more, and waits for what was carried on and for what may still come of a reservation", async () => {
  const { carrier, endAll } = createToyCarrier();
  carrier.note("hear", 1);
  const reserved = carrier.reserve(["fetch"]);
  if (reserved === null) throw new Error("nothing was reserved");
  let isClosed = false;
  const closed = carrier.close().then(() => (isClosed = true));
  expect(carrier.reserve(["fetch"])).toBeNull();
  carrier.start(reserved, [toJob(1, "hear")]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  endAll();
  await closed;
});
