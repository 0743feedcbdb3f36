import { expect, test } from "vitest";
import { createSoundMemory } from "./sound-memory.ts";

test("memory that was given back is used again, for what it is large enough for", () => {
  const memory = createSoundMemory();
  const first = memory.take(300_000);
  expect(first).toHaveLength(300_000);
  expect(memory.take(300_000).buffer).not.toBe(first.buffer);
  memory.give(first);
  expect(memory.take(900_000).buffer).not.toBe(first.buffer);
  const again = memory.take(400_000);
  expect(again).toHaveLength(400_000);
  expect(again.buffer).toBe(first.buffer);
});

test("no more than three pieces are kept without a use", () => {
  const memory = createSoundMemory();
  const given = Array.from({ length: 4 }, () => memory.take(100_000));
  for (const each of given) memory.give(each);
  const taken = given.map(() => memory.take(100_000).buffer);
  expect(taken).not.toContain(given[0]?.buffer);
  expect(taken).toContain(given[3]?.buffer);
});
