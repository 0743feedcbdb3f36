import type { RequestView, WaitingFor } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { findChanges, followRequest } from "./progress.ts";

function view(
  state: RequestView["state"],
  ...stages: [name: string, state: string, attempts: number][]
): RequestView {
  return {
    id: "job_1",
    state,
    link: "",
    postId: null,
    stages: stages.map(([name, stage, attempts]) => ({ name, state: stage, attempts })),
    waitingFor: null,
    failure: null,
    result: null,
    cost: null,
    createdAt: "",
    finishedAt: null,
  };
}

test("a stage is news when it starts, ends, or waits for another try", () => {
  expect(findChanges(null, view("queued", ["download", "ready", 0]))).toEqual([]);
  expect(
    findChanges(
      view("running", ["download", "running", 1]),
      view("running", ["download", "done", 1], ["transcribe", "running", 1]),
    ),
  ).toEqual([
    { stage: "download", state: "done", attempts: 1 },
    { stage: "transcribe", state: "running", attempts: 1 },
  ]);
  expect(
    findChanges(
      view("running", ["download", "running", 0]),
      view("retrying", ["download", "ready", 1]),
    ),
  ).toEqual([{ stage: "download", state: "retrying", attempts: 1 }]);
});

test("what was told once is not told again", () => {
  const same = view("retrying", ["download", "ready", 1]);
  expect(findChanges(same, same)).toEqual([]);
});

test("following ends with the request, and tells the changes in order", async () => {
  const views = [
    view("queued", ["download", "ready", 0]),
    view("running", ["download", "running", 1]),
    view("failed", ["download", "failed", 1]),
  ];
  const changes: string[] = [];
  const last = await followRequest(
    { findRequest: async () => null, waitForRequest: async () => views.shift() ?? null },
    "job_1",
    {
      timeoutMs: 1_000,
      signal: new AbortController().signal,
      onChange: ({ stage, state }) => changes.push(`${stage} ${state}`),
    },
  );
  expect(last.state).toBe("failed");
  expect(changes).toEqual(["download running", "download failed"]);
});

test("following ends when it is interrupted", async () => {
  const aborted = AbortSignal.abort();
  const waiting = view("queued");
  const last = await followRequest(
    { findRequest: async () => waiting, waitForRequest: async () => waiting },
    "job_1",
    { timeoutMs: 60_000, signal: aborted, onChange: () => {} },
  );
  expect(last.state).toBe("queued");
});

describe("a request that waits for something", () => {
  const waitingFor: WaitingFor = {
    stage: "transcribe",
    reason: "provider_key",
    message: "the key is refused",
    advice: "Set another key.",
    needsPerson: true,
    since: "2026-11-28T12:00:00.000Z",
    failsAt: null,
  };
  const waiting = { ...view("running", ["transcribe", "ready", 0]), waitingFor };
  const trying = view("running", ["transcribe", "running", 0]);
  const done = view("done", ["transcribe", "done", 1]);

  /** One view a second. */
  async function follow(views: RequestView[], patienceMs = Infinity) {
    let nowMs = 0;
    const told: string[] = [];
    const last = await followRequest(
      {
        findRequest: async () => null,
        waitForRequest: async () => {
          nowMs += 1_000;
          return views.shift() ?? done;
        },
      },
      "job_1",
      {
        signal: new AbortController().signal,
        onChange: () => {},
        onWaiting: ({ reason }) => told.push(reason),
        toPatienceMs: () => patienceMs,
        now: () => nowMs,
      },
    );
    return { told, state: last.state };
  }

  test("is told once, however long it lasts, and also across a further try", async () => {
    const views = [waiting, waiting, waiting, trying, waiting, waiting];
    expect(await follow(views)).toEqual({ told: ["provider_key"], state: "done" });
  });

  test("for a moment is not told", async () => {
    expect(await follow([waiting, waiting])).toEqual({ told: [], state: "done" });
  });

  test("is left when the patience is over, and not before", async () => {
    const views = () => Array.from({ length: 6 }, () => waiting);
    expect((await follow(views(), 5_000)).state).toBe("running");
    expect((await follow(views(), 6_000)).state).toBe("done");
  });
});

test("a request that was complete on arrival has no progress to tell", async () => {
  const done = view("done", ["download", "done", 1]);
  const changes: unknown[] = [];
  await followRequest(
    { findRequest: async () => done, waitForRequest: async () => done },
    "job_1",
    { timeoutMs: 1_000, signal: new AbortController().signal, onChange: (c) => changes.push(c) },
  );
  expect(changes).toEqual([]);
});
