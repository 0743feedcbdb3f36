import { expect, test } from "vitest";
import { createAnswerMemory } from "./answer-memory.ts";

const answer = (bytes: number) => ({ version: "1", body: Buffer.alloc(bytes) });

test("keeps what was read last, within its bytes", () => {
  const memory = createAnswerMemory(10_000);
  memory.set("a", answer(4_000));
  memory.set("b", answer(4_000));
  memory.get("a");
  memory.set("c", answer(4_000));
  expect(["a", "b", "c"].filter((key) => memory.get(key) !== undefined)).toEqual(["a", "c"]);
});

test("keeps nothing that is larger than all of it", () => {
  const memory = createAnswerMemory(10_000);
  memory.set("a", answer(1));
  memory.set("b", answer(10_000));
  expect(["a", "b"].filter((key) => memory.get(key) !== undefined)).toEqual(["a"]);
});

test("keeps nothing where it has no bytes", () => {
  const memory = createAnswerMemory(0);
  memory.set("a", answer(1));
  expect(memory.get("a")).toBeUndefined();
});
