import type { Submission } from "@clipmill/domain";
import { createWorkStore } from "@clipmill/db";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { installAudit } from "../../chaos/harness/verdict/audit.ts";
import { CHILD_RULES, RULES, type Rule, WAIT_RULES } from "../../chaos/harness/verdict/rules.ts";
import { ASK_KIND, toAnswer, toToken } from "../../chaos/pipelines/ask.ts";
import { CRAWL_KIND, type CrawlInput } from "../../chaos/pipelines/crawl.ts";
import { chaosPipelines } from "../../chaos/pipelines/index.ts";
import { ROUND_KIND } from "../../chaos/pipelines/round.ts";
import { EXTRA_PREFIX } from "../../chaos/processes/extra-routes.ts";
import {
  type ChaosProcesses,
  createChaosProcesses,
  readyUrl,
  type Start,
} from "../../support/work/chaos-processes.ts";
import { toSubmission } from "../../support/work/toy-pipeline.ts";

/** Waits of some seconds are part of it, and processes start slowly on a busy machine. */
const WAIT = { timeout: 40_000, interval: 100 };
const QUESTIONS = ["once-1", "twice-2", "once-3", "refused-4", "twice-5", "once-6"];
/** Drained by the process that dies, and by nobody else before that: crawls are listed and rounds collected there. */
const DOOMED = { roles: ["work"], queues: ["cpu"] } as const;
const OTHERS = {
  roles: ["dispatch", "reconcile", "work"],
  queues: ["io", "gpu", "llm"],
} as const;

let processes: ChaosProcesses;
/** How far the upstream's clock is ahead: its answers are due at once. */
let aheadMs: number;

beforeEach(async () => {
  aheadMs = 0;
  processes = await createChaosProcesses("postgres", { now: () => Date.now() + aheadMs });
  await installAudit(processes.database.url);
});

afterEach(() => processes.close());

const start = (options: Start) => processes.start("worker.ts", options);

async function accept(
  ...requests: { kind: string; input: { id: string } | CrawlInput }[]
): Promise<void> {
  const plan = { pipelines: chaosPipelines, leaseMs: 1_000, queuedForMs: 1_000 };
  await createWorkStore(processes.database, plan).accept(
    requests.map(({ kind, input }): Submission => {
      const link = `${kind}:${input.id}`;
      return toSubmission("", {
        kind,
        input,
        link,
        postId: null,
        credits: 1,
        idempotencyKey: link,
      });
    }),
  );
}

const acceptCrawl = () =>
  accept({ kind: CRAWL_KIND, input: { id: "7", level: 1, endsWithParent: false } });
const acceptQuestions = (ids: readonly string[]) =>
  accept(...ids.map((id) => ({ kind: ASK_KIND, input: { id } })));
const acceptRound = () => accept({ kind: ROUND_KIND, input: { id: "1" } });

async function count(sql: string): Promise<number> {
  const { rows } = await processes.database.pool.query<{ count: number }>(
    `select count(*)::int as count from ${sql}`,
  );
  return rows[0]?.count ?? 0;
}

async function untilWaiting(jobs: number): Promise<void> {
  await vi.waitFor(
    async () => expect(await count("stage_job where state = 'waiting'")).toBe(jobs),
    WAIT,
  );
}

async function untilRest(): Promise<void> {
  await vi.waitFor(async () => {
    expect(await count("request where state = 'open'")).toBe(0);
    expect(await count("stage_wait")).toBe(0);
  }, WAIT);
}

async function findBroken(rules: readonly Rule[]): Promise<string[]> {
  const broken: string[] = [];
  for (const { rule, sql } of rules) {
    const { rows } = await processes.database.pool.query(sql);
    if (rows.length > 0) broken.push(`${rule}: ${JSON.stringify(rows[0])}`);
  }
  return broken;
}

async function expectWhole(): Promise<void> {
  await untilRest();
  expect(await findBroken([...RULES, ...CHILD_RULES, ...WAIT_RULES])).toEqual([]);
}

describe("killed at a failpoint", { timeout: 120_000 }, () => {
  test.each(["in-settle", "after-settle"])(
    "a worker dies %s of a stage that submits, and each child exists once",
    async (failAt) => {
      await acceptCrawl();
      const doomed = start({ ...DOOMED, failAt });
      start(OTHERS);
      await processes.outlive(doomed);
      const children = await count("request where submitted_by is not null");
      expect(children).toBe(failAt === "in-settle" ? 0 : 3);
      start(DOOMED);
      await expectWhole();
      const { rows } = await processes.database.pool.query(
        "select kind, state, count(*)::int as count from request group by 1, 2 order by 1, 2",
      );
      expect(rows).toEqual([
        { kind: "ask", state: "done", count: 3 },
        { kind: "crawl", state: "done", count: 4 },
        { kind: "post", state: "done", count: 9 },
      ]);
    },
  );

  test("a worker that submits after the commit dies, and the children are missing", async () => {
    await acceptCrawl();
    const doomed = start({ ...DOOMED, failAt: "after-settle", control: "submit-after-commit" });
    start(OTHERS);
    await processes.outlive(doomed);
    start(DOOMED);
    await untilRest();
    expect((await findBroken(CHILD_RULES)).join()).toMatch(/^I1: a stage has not exactly/);
  });

  test.each(["in-settle", "after-settle"])(
    "a worker dies %s of a stage that waits, and the wait ends once",
    async (failAt) => {
      await acceptQuestions(["once-1"]);
      const doomed = start({ roles: ["work"], queues: ["io"], failAt });
      start({ ...OTHERS, queues: ["gpu", "cpu", "llm"] });
      await processes.outlive(doomed);
      expect(await count("stage_wait")).toBe(failAt === "in-settle" ? 0 : 1);
      start({ roles: ["work"], queues: ["io"] });
      await expectWhole();
    },
  );

  test.each(["in-settle", "after-settle"])(
    "a worker dies %s of a round of answers, and each wait ends once",
    async (failAt) => {
      const doomed = start({ ...DOOMED, failAt });
      start(OTHERS);
      await readyUrl(doomed);
      await acceptQuestions(QUESTIONS);
      await untilWaiting(QUESTIONS.length);
      aheadMs = 3_000;
      await acceptRound();
      await processes.outlive(doomed);
      const ended = await count("chaos_wait where ended_as in ('done', 'failed')");
      if (failAt === "in-settle") expect(ended).toBe(0);
      else expect(ended).toBeGreaterThan(0);
      start(DOOMED);
      await expectWhole();
    },
  );

  test("a worker that resolves after the commit dies, and waits run out that had their answer", async () => {
    const doomed = start({ ...DOOMED, failAt: "after-settle", control: "resolve-after-commit" });
    start(OTHERS);
    await readyUrl(doomed);
    await acceptQuestions(QUESTIONS);
    await untilWaiting(QUESTIONS.length);
    aheadMs = 3_000;
    await acceptRound();
    await processes.outlive(doomed);
    await untilRest();
    expect((await findBroken(WAIT_RULES)).join()).toMatch(/^I4: a wait ran out/);
  });

  test.each(["in-resolve", "after-resolve"])(
    "an API dies %s, and what it was told ends each wait once",
    async (failAt) => {
      const doomed = processes.start("api.ts", { failAt });
      const second = processes.start("api.ts", {});
      const urls = await Promise.all([readyUrl(doomed), readyUrl(second)]);
      const worker = start({ ...OTHERS, queues: ["io", "gpu", "cpu", "llm"] });
      await readyUrl(worker);
      await acceptQuestions(["never-1", "never-2"]);
      await untilWaiting(2);
      await expect(answer(urls[0], "first")).rejects.toThrow("fetch failed");
      const ended = await count("chaos_wait where ended_as = 'done'");
      expect(ended).toBe(failAt === "in-resolve" ? 0 : 2);
      expect(await answer(urls[1], "second")).toBe(2 - ended);
      await expectWhole();
      const nonce = failAt === "in-resolve" ? "second" : "first";
      expect(await count(`stage_job where output ->> 'nonce' = '${nonce}'`)).toBe(2);
    },
  );
});

/** Returns how many jobs that ended. */
async function answer(apiUrl: string, nonce: string): Promise<number> {
  const deliveries = ["never-1", "never-2"].map((id) => {
    const output = { id, token: toToken(id), answer: toAnswer(id), nonce };
    return { kind: "done", token: toToken(id), output };
  });
  const response = await fetch(`${apiUrl}${EXTRA_PREFIX}/answers`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ deliveries }),
  });
  return ((await response.json()) as { resolved: number }).resolved;
}
