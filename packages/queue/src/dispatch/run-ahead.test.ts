import type { JobLane, QueueName } from "@clipmill/domain";
import { expect, test } from "vitest";
import { createRunAhead } from "./run-ahead.ts";

const ahead = { io: 64, gpu: 64, cpu: 100, llm: 64 };

/** A queue `io` that feeds `cpu` and `gpu`, which are full of the given lanes. */
function setUp(full: Partial<Record<QueueName, JobLane>>) {
  const asked: [QueueName, number][][] = [];
  let nowMs = 0;
  const runAhead = createRunAhead({
    work: {
      async findLanesAt(places) {
        asked.push([...places]);
        return new Map(Object.entries(full) as [QueueName, JobLane][]);
      },
    },
    feeds: { io: ["cpu", "gpu"] },
    ahead,
    now: () => nowMs,
  });
  return { runAhead, asked, full, pass: (ms: number) => (nowMs += ms) };
}

test.each<[full: Partial<Record<QueueName, JobLane>>, lowest: string]>([
  [{}, "backfill"],
  [{ gpu: "backfill" }, "standard"],
  [{ cpu: "backfill" }, "standard"],
  [{ gpu: "standard" }, "interactive"],
  [{ gpu: "standard", cpu: "backfill" }, "interactive"],
  [{ gpu: "interactive" }, "interactive"],
  [{ cpu: "quarantine" }, "interactive"],
])("where %j has filled what it feeds, its lanes down to %s go on", async (full, lowest) => {
  const { runAhead, asked } = setUp(full);
  expect(await runAhead.findLowest("io")).toBe(lowest);
  expect(asked).toEqual([
    [
      ["cpu", 100],
      ["gpu", 64],
    ],
  ]);
});

test("a queue that feeds none is never held, and nobody is asked", async () => {
  const { runAhead, asked } = setUp({ gpu: "backfill" });
  expect(await runAhead.findLowest("gpu")).toBe("backfill");
  expect(asked).toEqual([]);
});

test("asks once a second", async () => {
  const { runAhead, asked, full, pass } = setUp({ gpu: "backfill" });
  await runAhead.findLowest("io");
  delete full.gpu;
  pass(999);
  expect(await runAhead.findLowest("io")).toBe("standard");
  expect(asked).toHaveLength(1);
  pass(1);
  expect(await runAhead.findLowest("io")).toBe("backfill");
  expect(asked).toHaveLength(2);
});
