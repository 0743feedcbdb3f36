import type { DispatchedJob, QueueName } from "@clipmill/domain";
import { createDispatcher } from "@clipmill/queue";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

const WINDOW = 9;
const NO_LOG = { debug() {}, info() {}, warn() {}, error() {}, child: () => NO_LOG };

let fixture: WorkFixture;
let work: WorkFixture["work"];

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ work } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

const submit = (tenant: string, count: number, lane: "interactive" | "standard" = "standard") =>
  work.accept(Array.from({ length: count }, () => toSubmission(newPostId(), { tenant, lane })));

/** The order in which the queue serves hints; lower goes first. */
function toRank({ lane, underShare, shareDue }: DispatchedJob): number {
  if (lane === "interactive") return underShare ? 0 : 1;
  if (shareDue) return 1;
  return underShare ? 2 : 3;
}

async function tenantsOf(dispatched: readonly DispatchedJob[]): Promise<string[]> {
  const { rows } = await fixture.database.pool.query<{ tenant: string }>(
    "select tenant from stage_job where id = any ($1)",
    [dispatched.map(({ id }) => id)],
  );
  return rows.map(({ tenant }) => tenant).sort();
}

test("only jobs under share overflow a full window, as often as allowed and by at most a third of it", async () => {
  await submit("loud", 50);
  await work.dispatch("io", WINDOW);
  await submit("quiet", 50);
  expect(await work.dispatch("io", WINDOW)).toEqual([]);
  const one = await work.dispatch("io", WINDOW, { overflow: { allowed: 1, made: 0 } });
  expect(one).toMatchObject([{ underShare: true, overflow: true }]);
  expect(await tenantsOf(one)).toEqual(["quiet"]);
  const rest = await work.dispatch("io", WINDOW, { overflow: { allowed: 9, made: 1 } });
  expect(await tenantsOf(rest)).toEqual(["quiet", "quiet"]);
  await submit("third", 5);
  expect(await work.dispatch("io", WINDOW, { overflow: { allowed: 9, made: 3 } })).toEqual([]);
});

test("an interactive job overflows a window that is full of its own tenant's jobs", async () => {
  await submit("local", 50);
  await work.claim(await work.dispatch("io", 3), "worker");
  await work.dispatch("io", WINDOW);
  await submit("local", 1, "interactive");
  expect(await work.dispatch("io", WINDOW)).toEqual([]);
  const overflowed = await work.dispatch("io", WINDOW, { overflow: { allowed: 1, made: 0 } });
  expect(overflowed).toMatchObject([{ lane: "interactive", underShare: false, overflow: true }]);
});

test("jobs that a lane's share brings before a better lane are due, and no others", async () => {
  await submit("local", 50);
  expect((await work.dispatch("io", 10)).filter(({ shareDue }) => shareDue)).toEqual([]);
  await submit("local", 50, "interactive");
  const dispatched = await work.dispatch("io", 30);
  const due = dispatched.filter((job) => job.shareDue).map(({ lane }) => lane);
  // 30 % of 20 places, rounded by chance.
  expect([...new Set(due)]).toEqual(["standard"]);
  expect(due.length).toBeGreaterThanOrEqual(6);
  expect(due.length).toBeLessThanOrEqual(7);
  expect(dispatched.filter(({ lane }) => lane === "interactive")).toHaveLength(20 - due.length);
});

test("jobs of a tenant with a fair share in flight do not overflow", async () => {
  await submit("loud", 50);
  await submit("other", 50);
  await work.dispatch("io", WINDOW);
  expect(await work.dispatch("io", WINDOW, { overflow: { allowed: 9, made: 0 } })).toEqual([]);
});

test("the shares of lanes count jobs that overflowed, too", async () => {
  await submit("loud", 50);
  await submit("urgent", 50, "interactive");
  // 30 % of 2 places and 18 overflowed jobs are more than both places.
  const dispatched = await work.dispatch("io", 2, { overflow: { allowed: 0, made: 18 } });
  expect(dispatched.map(({ lane }) => lane)).toEqual(["standard", "standard"]);
});

test("a tenant that others always overtake keeps the share of its lane", async () => {
  const hints: DispatchedJob[] = [];
  const isBetter = (a: DispatchedJob, b: DispatchedJob) => toRank(a) < toRank(b);
  await submit("loud", 200);
  const dispatcher = createDispatcher({
    work,
    hints: {
      push: (_queue: QueueName, jobs) => Promise.resolve(void hints.push(...jobs)),
      countWaiting: () => Promise.resolve(0),
    },
    nextReady: (_queue, timeoutMs) => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => resolve(false), timeoutMs);
      return { promise, cancel: () => (clearTimeout(timer), resolve(false)) };
    },
    window: { io: WINDOW, gpu: 0, cpu: 0, llm: 0 },
    log: NO_LOG,
  });
  const served: string[] = [];
  let tenants = 0;
  const submitNewcomer = () => submit(`newcomer-${tenants++}`, 1, "interactive");
  try {
    await vi.waitFor(() => expect(hints).toHaveLength(WINDOW));
    for (let n = 0; n < 20; n++) await submitNewcomer();
    // One slot; for each newcomer that it serves, another one comes.
    while (served.length < 150) {
      await vi.waitFor(() => expect(hints.length).toBeGreaterThan(0));
      const best = hints.reduce((found, hint) => (isBetter(hint, found) ? hint : found));
      hints.splice(hints.indexOf(best), 1);
      const [job] = await work.claim([best], "worker");
      if (job === undefined) throw new Error("not claimed");
      served.push(best.lane);
      await work.settle([toDone(job, job.key)]);
      if (best.lane === "interactive") await submitNewcomer();
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  } finally {
    await dispatcher.close();
  }
  const loud = served.slice(50).filter((lane) => lane === "standard").length;
  expect(loud).toBeGreaterThanOrEqual(20);
  expect(loud).toBeLessThanOrEqual(60);
});
