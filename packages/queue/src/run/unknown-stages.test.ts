import type { ClaimedJob, Log } from "@clipmill/domain";
import { expect, test, vi } from "vitest";
import { createUnknownStages } from "./unknown-stages.ts";

const MINUTE_MS = 60_000;
const job = (id: number): ClaimedJob => ({
  id,
  epoch: 1,
  stage: "of-tomorrow",
  key: "k",
  input: {},
  attempts: 0,
  lane: "standard",
  ageMs: 0,
  expiredToken: null,
});

function setUp() {
  let nowMs = 0;
  const error = vi.fn<(fields: object, message: string) => void>();
  const log: Log = { debug() {}, info() {}, warn() {}, error, child: () => log };
  const unknown = createUnknownStages(log, () => nowMs);
  return { unknown, error, pass: (ms: number) => void (nowMs += ms) };
}

const WAITS = {
  kind: "released",
  code: "engine_unavailable",
  delayMs: 10_000,
  message: expect.stringContaining("of-tomorrow") as string,
};

test("its job is offered to others for an hour, costs no attempt, and fails then", () => {
  const { unknown, pass } = setUp();
  for (let minute = 0; minute < 60; minute += 5) {
    expect(unknown.toOutcome(job(1))).toMatchObject(WAITS);
    pass(5 * MINUTE_MS);
  }
  expect(unknown.toOutcome(job(1))).toMatchObject({ kind: "failed", code: "engine_unavailable" });
  // Retried by hand it gets its time again.
  expect(unknown.toOutcome(job(1))).toMatchObject(WAITS);
});

test("the time counts anew for a job that was in other hands meanwhile, and for each job by itself", () => {
  const { unknown, pass } = setUp();
  unknown.toOutcome(job(1));
  pass(70 * MINUTE_MS);
  expect(unknown.toOutcome(job(1))).toMatchObject(WAITS);
  expect(unknown.toOutcome(job(2))).toMatchObject(WAITS);
});

test("of a hundred such jobs at once the log has one line", () => {
  const { unknown, error } = setUp();
  for (let id = 0; id < 100; id++) unknown.toOutcome(job(id));
  expect(error).toHaveBeenCalledOnce();
});
