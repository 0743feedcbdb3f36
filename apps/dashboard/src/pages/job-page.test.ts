import type { RequestView } from "@clipmill/domain";
import { describe, expect, it, test } from "vitest";
import { renderJobPage } from "./job-page.ts";

const OPEN: RequestView = {
  id: "01KAPN3TB3ZQ4T1Q2M7W0Y6H5J",
  state: "running",
  link: "https://www.tiktok.com/@toy/video/7345678901234567890",
  postId: "7345678901234567890",
  stages: [
    { name: "source", state: "done", attempts: 0 },
    { name: "transcribe", state: "running", attempts: 1 },
  ],
  waitingFor: null,
  failure: null,
  result: null,
  cost: null,
  createdAt: "2026-11-22T10:00:00.000Z",
  finishedAt: null,
};

describe("a job without a result", () => {
  it("shows no cost while nobody knows it", () => {
    const page = renderJobPage(OPEN);
    expect(page).toContain("transcribe");
    expect(page).not.toContain("$");
  });

  it("shows what it cost although it failed, by stage and in total", () => {
    const page = renderJobPage({
      ...OPEN,
      state: "failed",
      stages: [
        { name: "source", state: "done", attempts: 0 },
        { name: "transcribe", state: "failed", attempts: 3 },
      ],
      failure: {
        code: "bad_response",
        message: "the engine answered with something else",
        stage: "transcribe",
        retryable: true,
      },
      cost: { usd: 0.0125, by_stage: { source: 0.0025, transcribe: 0.01 } },
    });
    for (const amount of ["$0.0025", "$0.0100", "$0.0125"]) expect(page).toContain(amount);
  });
});

test("a job that does not go on says why, what to do, and until when it waits", () => {
  const page = renderJobPage({
    ...OPEN,
    waitingFor: {
      stage: "transcribe",
      reason: "provider_key",
      message: "the key <b>is</b> refused",
      advice: "Set another key.",
      needsPerson: true,
      since: "2026-11-28T12:00:00.123Z",
      failsAt: "2026-11-28T12:10:00.123Z",
    },
  });
  for (const part of [
    "the key &lt;b&gt;is&lt;/b&gt; refused",
    "Set another key.",
    "/errors#provider_key",
    "2026-11-28 12:00:00 UTC",
    "2026-11-28 12:10:00 UTC",
  ])
    expect(page).toContain(part);
});
