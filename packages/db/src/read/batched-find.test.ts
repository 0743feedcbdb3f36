import { setImmediate as endOfTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createBatchedFind } from "./batched-find.ts";

/** Batches that the test ends itself. */
function createBatches(inFlightMax: number) {
  const batches: { keys: string[]; end: PromiseWithResolvers<ReadonlyMap<string, string>> }[] = [];
  const find = createBatchedFind<string>(
    (keys) => {
      const end = Promise.withResolvers<ReadonlyMap<string, string>>();
      batches.push({ keys, end });
      return end.promise;
    },
    { inFlightMax },
  );
  return { find, batches };
}

test("keys asked for in one turn of the event loop are read together, each once", async () => {
  const { find, batches } = createBatches(2);
  const answers = Promise.all([find("a"), find("b"), find("a"), find("none")]);
  await endOfTurn();
  expect(batches.map(({ keys }) => keys)).toEqual([["a", "b", "none"]]);
  batches[0]?.end.resolve(new Map(Object.entries({ a: "A", b: "B" })));
  expect(await answers).toEqual(["A", "B", "A", undefined]);
});

test("who asks while a key is being read gets it read again", async () => {
  const { find, batches } = createBatches(2);
  const before = find("a");
  await endOfTurn();
  const after = find("a");
  await endOfTurn();
  batches[1]?.end.resolve(new Map([["a", "new"]]));
  batches[0]?.end.resolve(new Map([["a", "old"]]));
  expect([await before, await after]).toEqual(["old", "new"]);
});

test("when enough batches are under way, the next waits and takes all that were asked for since", async () => {
  const { find, batches } = createBatches(1);
  const first = find("a");
  await endOfTurn();
  const rest = [find("b")];
  await endOfTurn();
  rest.push(find("c"));
  await endOfTurn();
  expect(batches).toHaveLength(1);
  batches[0]?.end.resolve(new Map());
  await first;
  await endOfTurn();
  expect(batches[1]?.keys).toEqual(["b", "c"]);
  batches[1]?.end.resolve(new Map());
  await Promise.all(rest);
});

test("a batch that fails fails those who asked for it, and no others", async () => {
  const { find, batches } = createBatches(1);
  const failing = Promise.allSettled([find("a"), find("b")]);
  await endOfTurn();
  const next = find("a");
  batches[0]?.end.reject(new Error("connection lost"));
  const states = (await failing).map(({ status }) => status);
  await endOfTurn();
  batches[1]?.end.resolve(new Map([["a", "A"]]));
  expect([...states, await next]).toEqual(["rejected", "rejected", "A"]);
});

test("a crowd is read fifty keys at a time", async () => {
  const { find, batches } = createBatches(9);
  const answers = Promise.all(Array.from({ length: 101 }, (_, i) => find(String(i))));
  for (let turn = 0; turn < 3; turn++) await endOfTurn();
  expect(batches.map(({ keys }) => keys.length)).toEqual([50, 50, 1]);
  for (const { keys, end } of batches) end.resolve(new Map(keys.map((key) => [key, `row ${key}`])));
  expect((await answers)[100]).toBe("row 100");
});
