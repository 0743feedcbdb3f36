import { expect, test } from "vitest";
import { createPatience } from "./patience.ts";

test("a limit doubles with each failure in a row, four times at most, and is as before after a success", async () => {
  const within = createPatience(10);
  const limits: number[] = [];
  const attempt = (isSlow: boolean) =>
    within(async (ms) => {
      limits.push(ms);
      if (isSlow) throw new Error("too slow");
      return "done";
    });
  for (let n = 0; n < 4; n++) await expect(attempt(true)).rejects.toThrow("too slow");
  expect(await attempt(false)).toBe("done");
  await attempt(false);
  expect(limits).toEqual([10, 20, 40, 40, 40, 10]);
});

test("two that fail at the same time count as one failure", async () => {
  const within = createPatience(10);
  const fail = () => within(() => Promise.reject(new Error("too slow")));
  await Promise.allSettled([fail(), fail(), fail()]);
  expect(await within(async (ms) => ms)).toBe(20);
});
