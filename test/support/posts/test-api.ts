import { type ApiDeps, buildApp } from "@clipmill/api";
import { createLogger } from "@clipmill/config";
import type { FastifyInstance } from "fastify";
import { onTestFinished } from "vitest";
import { createFakePosts } from "../fakes/fake-posts.ts";
import { createFakeRequests, type FakeRequests } from "../fakes/fake-requests.ts";

export interface TestApi {
  app: FastifyInstance;
  fake: FakeRequests;
  /** What was logged, one object a line. */
  logged: Record<string, unknown>[];
}

/** Nothing ever failed for good. The real dead letter has tests of its own. */
const NO_DEAD: ApiDeps["dead"] = {
  list: () => Promise.resolve({ jobs: [], next: null }),
  find: () => Promise.resolve(null),
  retry: () => Promise.resolve({ jobCount: 0, requestCount: 0 }),
  drop: () => Promise.resolve({ jobCount: 0 }),
};

const refuse = () => Promise.reject(new Error("this API takes no lists"));
const NO_BACKFILLS: ApiDeps["backfills"] = {
  begin: refuse,
  prepare: () => ({
    submissions: { candidates: [], values: [], hasExtras: false },
    invalidCount: 0,
  }),
  append: refuse,
  end: refuse,
  find: () => Promise.resolve(null),
};

/** The API over requests in memory, until the end of the test; `overrides` replace single dependencies. */
export async function startTestApi(overrides: Partial<ApiDeps> = {}): Promise<TestApi> {
  const fake = createFakeRequests();
  const logged: Record<string, unknown>[] = [];
  const log = createLogger({ LOG_LEVEL: "info" }, "api", {
    write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  });
  const app = await buildApp({
    work: fake,
    requests: fake,
    waiting: { findGroups: () => Promise.resolve([]) },
    posts: createFakePosts(fake.stored),
    answerMemoryBytes: 1_000_000,
    backfills: NO_BACKFILLS,
    dead: NO_DEAD,
    recipes: () => ({ source: ["tiklive"], asr: [], ocr: [], llm: ["extractive"] }),
    health: () => Promise.resolve({ database: true, queue: true }),
    log,
    version: "0.0.0-test",
    ...overrides,
  });
  onTestFinished(() => app.close());
  return { app, fake, logged };
}

/** `POST /v1/jobs` with a JSON body. */
export function postJob({ app }: TestApi, payload: object, headers: Record<string, string> = {}) {
  return app.inject({ method: "POST", url: "/v1/jobs", payload, headers });
}
