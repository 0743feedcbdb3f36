import { countJobs, createWorkerRegistry } from "@clipmill/db";
import { QUEUE_NAMES } from "@clipmill/domain";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestApi } from "../../support/posts/test-api.ts";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;

beforeAll(async () => {
  fixture = await openWorkFixture();
});

afterAll(() => fixture[Symbol.asyncDispose]());

test("GET /metrics shows what waits, what runs, and who could take it, as it is now", async () => {
  const { work, database } = fixture;
  const registry = createWorkerRegistry(database);
  const api = await startTestApi({
    metrics: {
      countJobs: () => countJobs(database, QUEUE_NAMES),
      countSlots: registry.countSlots,
    },
  });
  await work.accept(Array.from({ length: 3 }, () => toSubmission(newPostId())));
  await work.claim(await work.dispatch("io", 1), "worker");
  await registry.report({ id: "worker", queues: ["io"], engines: [], slots: { io: 20 } });

  const response = await api.app.inject("/metrics");
  expect(response.headers["content-type"]).toMatch(/^text\/plain; version=/);
  const lines = response.body.split("\n");
  expect(lines).toContain("# TYPE clipmill_queue_jobs gauge");
  expect(lines).toContain('clipmill_queue_jobs{queue="io",state="ready"} 2');
  expect(lines).toContain('clipmill_queue_jobs{queue="io",state="running"} 1');
  expect(lines).toContain('clipmill_worker_slots{queue="io"} 20');
  expect(lines).toContain('clipmill_worker_slots{queue="gpu"} 0');
});

test("there is no such page where nothing can be read from", async () => {
  const api = await startTestApi();
  expect((await api.app.inject("/metrics")).statusCode).toBe(404);
});
