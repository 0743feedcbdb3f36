import type { RequestView } from "@clipmill/domain";
import { expect, test } from "vitest";
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
