import { expect, test } from "vitest";
import { createSlots } from "./slots.ts";

/** Hints that ask for a slot, by name, and those that have got one. */
function createQueueOf(size: number) {
  const slots = createSlots(size);
  const started: string[] = [];
  return {
    slots,
    started,
    ask: (name: string, rank?: number) => void slots.take(rank).then(() => started.push(name)),
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

test("a hint waits for a slot, first come, first served", async () => {
  const { slots, started, ask, settle } = createQueueOf(1);
  for (const name of ["a", "b", "c"]) ask(name);
  await settle();
  expect(started).toEqual(["a"]);
  expect(slots.freeCount()).toBe(0);
  slots.leave();
  await settle();
  expect(started).toEqual(["a", "b"]);
});

test("an urgent hint is served before those that came earlier", async () => {
  const { slots, started, ask, settle } = createQueueOf(1);
  ask("running");
  for (const [name, rank] of [
    ["backfill", 3],
    ["interactive", 1],
    ["standard", 3],
    ["ahead", 0],
  ] as const)
    ask(name, rank);
  for (let n = 0; n < 4; n++) slots.leave();
  await settle();
  expect(started).toEqual(["running", "ahead", "interactive", "backfill", "standard"]);
});

test("eager starts take slots that are free, and never the last one", () => {
  const slots = createSlots(4);
  expect(slots.takeEager(10)).toBe(3);
  expect(slots.takeEager(10)).toBe(0);
  slots.leaveEager(2);
  expect(slots.takeEager(1)).toBe(1);
  expect(createSlots(1).takeEager(1)).toBe(0);
});

test("slots of expected eager starts are kept from hints as they come free, and given up when nothing is expected", async () => {
  const { slots, started, ask, settle } = createQueueOf(3);
  for (const name of ["a", "b", "c", "d", "e"]) ask(name);
  slots.expectEager(2);
  slots.leave();
  slots.leave();
  await settle();
  expect(started).toEqual(["a", "b", "c"]);
  expect(slots.takeEager(1)).toBe(1);
  // One slot is kept and one has an eager start; the third goes to a hint again.
  slots.leave();
  await settle();
  expect(started).toEqual(["a", "b", "c", "d"]);
  slots.expectEager(-2);
  await settle();
  expect(started).toEqual(["a", "b", "c", "d", "e"]);
});

test("a hint gets the slot that an eager start has left", async () => {
  const { slots, started, ask, settle } = createQueueOf(2);
  ask("a");
  await settle();
  expect(slots.takeEager(5)).toBe(1);
  ask("b");
  await settle();
  expect(started).toEqual(["a"]);
  slots.leaveEager(1);
  await settle();
  expect(started).toEqual(["a", "b"]);
});
