import type { RequestView, WaitingFor } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { tellWaiting, toInterruption, toPatienceMs } from "./waiting.ts";

const OWN = { apiUrl: null, isShared: false };
const SHARED = { apiUrl: "http://127.0.0.1:4600", isShared: true };

const WAITING: WaitingFor = {
  stage: "transcribe",
  reason: "provider_key",
  message: "the key is refused\u001b[31m",
  advice: "Set another key.",
  needsPerson: true,
  since: "2026-11-28T12:00:00.000Z",
  failsAt: "2026-11-28T12:10:00.000Z",
};

function view(waitingFor: WaitingFor | null): RequestView {
  return {
    id: "job_1",
    state: "running",
    link: "",
    postId: null,
    stages: [],
    waitingFor,
    failure: null,
    result: null,
    cost: null,
    createdAt: "",
    finishedAt: null,
  };
}

describe("the patience of a command", () => {
  test("is without end for what ends by itself", () => {
    expect(toPatienceMs({ ...WAITING, needsPerson: false }, OWN)).toBe(Infinity);
  });

  test("is longer where somebody may put it right meanwhile", () => {
    expect(toPatienceMs(WAITING, OWN)).toBeLessThan(toPatienceMs(WAITING, SHARED));
  });

  test("is longest for a worker, which is started again when it died", () => {
    const noWorker = { ...WAITING, reason: "no_worker" } as const;
    expect(toPatienceMs(noWorker, OWN)).toBeGreaterThan(toPatienceMs(WAITING, SHARED));
  });
});

describe("what a person reads", () => {
  test("of a wait: what, why, what to do, and until when; nothing that moves the cursor", () => {
    const lines: string[] = [];
    tellWaiting(WAITING, SHARED, (line) => lines.push(line));
    expect(lines).toEqual([
      "transcribe waits: the key is refused[31m (provider_key)",
      "Set another key.",
      "Without that the job fails at 12:10:00 UTC on 2026-11-28.",
    ]);
  });

  test("at Ctrl-C, where the worker ends with the command: nothing goes on", () => {
    expect(toInterruption(view(null), OWN)).toContain("nothing works on job_1 now");
  });

  test("at Ctrl-C, where another command's worker goes on until that ends", () => {
    expect(toInterruption(view(null), { apiUrl: null, isShared: true })).toContain(
      "goes on as long as the other `clipmill run` lasts",
    );
  });

  test("at Ctrl-C, where other workers go on", () => {
    expect(toInterruption(view(null), SHARED)).toBe(
      "interrupted; job_1 goes on: http://127.0.0.1:4600/jobs/job_1",
    );
  });

  test("at Ctrl-C, where other workers wait, too", () => {
    expect(toInterruption(view(WAITING), SHARED)).toMatch(
      /stays, but does not go on: transcribe waits: the key is refused.*provider_key/,
    );
  });
});
