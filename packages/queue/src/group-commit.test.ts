import { RetryableError, UnrecoverableError } from "@clipmill/domain";
import { expect, test } from "vitest";
import { createGroupCommit } from "./group-commit.ts";

/** A flush that ends when the test says so. */
function createHeld(options: {
  maxItems: number;
  maxFlushes?: number;
  weigh?(item: number): number;
}) {
  const batches: number[][] = [];
  const ends: (() => void)[] = [];
  const commit = createGroupCommit<number, number>({
    ...options,
    async flush(items) {
      batches.push(items);
      await new Promise<void>((end) => ends.push(end));
      return items;
    },
  });
  return { commit, batches, endFirst: () => ends.shift()?.(), tick };
}

const tick = () => new Promise((resolve) => setImmediate(resolve));

test("a lone item goes at once, and those that come meanwhile go together", async () => {
  const { commit, batches, endFirst } = createHeld({ maxItems: 10 });
  const answers = [commit.add(1)];
  await tick();
  for (const item of [2, 3, 4]) answers.push(commit.add(item));
  await tick();
  expect(batches).toEqual([[1]]);
  endFirst();
  await tick();
  expect(batches).toEqual([[1], [2, 3, 4]]);
  endFirst();
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4]);
});

test("a second flush starts beside the first one only with a whole batch", async () => {
  const { commit, batches, endFirst } = createHeld({ maxItems: 2, maxFlushes: 2 });
  const answers = [1, 2, 3].map((item) => commit.add(item));
  await tick();
  expect(batches).toEqual([[1, 2]]);
  answers.push(commit.add(4));
  await tick();
  expect(batches).toEqual([
    [1, 2],
    [3, 4],
  ]);
  for (const item of [5, 6, 7]) answers.push(commit.add(item));
  await tick();
  expect(batches).toHaveLength(2);
  // What is left over goes with whichever ends last.
  for (let n = 0; n < 4; n++) {
    endFirst();
    await tick();
  }
  expect(batches.slice(2)).toEqual([[5, 6], [7]]);
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("heavy items fill a batch sooner, and one that is too heavy for any goes alone", async () => {
  const { commit, batches, endFirst } = createHeld({ maxItems: 10, weigh: (item) => item });
  const answers = [1, 4, 5, 2, 30, 3].map((item) => commit.add(item));
  for (let n = 0; n < 4; n++) {
    await tick();
    endFirst();
  }
  expect(await Promise.all(answers)).toEqual([1, 4, 5, 2, 30, 3]);
  expect(batches).toEqual([[1, 4, 5], [2], [30], [3]]);
});

test("an item that comes as the last flush ends is not left behind", async () => {
  const commit = createGroupCommit<number, number>({
    maxItems: 2,
    maxFlushes: 2,
    flush: (items) => Promise.resolve(items),
  });
  const answers: Promise<number>[] = [];
  for (let item = 0; item < 50; item++) {
    answers.push(commit.add(item));
    // A few microtasks later each time, so that some item meets each moment of an ending flush.
    for (let turn = 0; turn < item % 12; turn++) await Promise.resolve();
  }
  expect(await Promise.all(answers)).toHaveLength(50);
  await commit.idle();
});

test("an item that the database refuses fails alone", async () => {
  const refused = Object.assign(new Error("bad"), { code: "22P05" });
  const commit = createGroupCommit<number, number>({
    maxItems: 10,
    flush: (items) => (items.includes(3) ? Promise.reject(refused) : Promise.resolve(items)),
  });
  const ends = await Promise.allSettled([1, 2, 3, 4].map((item) => commit.add(item)));
  expect(ends.map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
});

test("an item that a rule of ours refuses fails alone, and a server that is away fails all in one try", async () => {
  const answer = async (refusal: Error) => {
    let flushes = 0;
    const commit = createGroupCommit<number, number>({
      maxItems: 10,
      flush(items) {
        flushes++;
        return items.includes(3) ? Promise.reject(refusal) : Promise.resolve(items);
      },
    });
    const ends = await Promise.allSettled([1, 2, 3, 4].map((item) => commit.add(item)));
    return { failed: ends.filter(({ status }) => status === "rejected").length, flushes };
  };
  const refused = new UnrecoverableError("insufficient_credits", "too few");
  const ofOneItem = [
    refused,
    new RangeError("Maximum call stack size exceeded"),
    new TypeError("Do not know how to serialize a BigInt"),
    new Error("a job vanished inside a transaction"),
    Object.assign(new Error("raised by a trigger"), { code: "P0001" }),
    Object.assign(new Error("a row twice"), { code: "21000" }),
  ];
  for (const error of ofOneItem) expect(await answer(error)).toMatchObject({ failed: 1 });
  const away = [
    new RetryableError("unavailable", "away"),
    Object.assign(new Error("the server stops"), { code: "57P01" }),
    Object.assign(new Error("deadlock detected"), { code: "40P01" }),
    Object.assign(new Error("column is missing"), { code: "42703" }),
    Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }),
    Object.assign(new Error("write EPIPE"), { code: "EPIPE" }),
    new Error("timeout exceeded when trying to connect"),
    new Error("Connection terminated unexpectedly"),
    new Error("Client was closed and is not queryable"),
  ];
  for (const error of away) expect(await answer(error)).toEqual({ failed: 4, flushes: 1 });
});
