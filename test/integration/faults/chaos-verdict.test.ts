import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startNeighbours } from "../../chaos/harness/neighbours.ts";
import { toScaledMinima, toSlowness } from "../../chaos/harness/pace.ts";
import { installAudit } from "../../chaos/harness/verdict/audit.ts";
import { type Clock, settleDown } from "../../chaos/harness/verdict/settle-down.ts";
import { parseOptions } from "../../chaos/options.ts";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

/** Of the clock that the test sets. */
const STALLED_AFTER_MS = 30_000;

describe("the end of a chaos run", () => {
  let fixture: WorkFixture;

  beforeEach(async () => {
    fixture = await openWorkFixture();
    await installAudit(fixture.database.url);
  });

  afterEach(() => fixture[Symbol.asyncDispose]());

  /** Each pause lasts `ms`, and `meanwhile` happens in it. */
  async function settle(
    ms: number,
    meanwhile: (pauses: number) => Promise<void>,
    waiting = () => 0,
  ) {
    let now = 0;
    let pauses = 0;
    const said: string[] = [];
    const clock: Clock = {
      now: () => now,
      async pause() {
        now += ms;
        await meanwhile(++pauses);
      },
    };
    await settleDown(fixture.database.url, {
      stalledAfterMs: STALLED_AFTER_MS,
      callers: { waitingCount: waiting },
      answering: { stop() {} },
      say: (what) => void said.push(what),
      clock,
    });
    const open = await fixture.rows("select from request where state = 'open'");
    return { openCount: open.length, ms: now, said: said.join("\n") };
  }

  async function acceptPosts(count: number): Promise<string[]> {
    const posts = Array.from({ length: count }, () => newPostId());
    await fixture.work.accept(posts.map((post) => toSubmission(post)));
    return posts;
  }

  test("waits for a machine on which something ends now and then, however long all of it takes", async () => {
    const posts = await acceptPosts(12);
    const end = await settle(STALLED_AFTER_MS - 1, async () => {
      const post = posts.pop();
      if (post !== undefined) await fixture.runToEnd(post);
    });
    expect(end.openCount).toBe(0);
    expect(end.ms).toBeGreaterThan(12 * (STALLED_AFTER_MS - 1));
    expect(end.said).not.toContain("nothing has ended");
  });

  test("is lost work where nothing ends any more, whatever goes up and down meanwhile", async () => {
    const [lost = ""] = await acceptPosts(1);
    let waiting = 5;
    const end = await settle(
      1_000,
      async () => {
        waiting = 7 - waiting;
        // Dispatched and given back, without end.
        await fixture.work.return(await fixture.work.dispatch("io", 1));
      },
      () => waiting,
    );
    expect(end.openCount).toBe(1);
    expect(end.said).toContain("nothing has ended");
    expect(end.ms).toBeLessThan(3 * STALLED_AFTER_MS);
    const [job] = await fixture.stagesOf(lost);
    expect(job?.epoch).toBeGreaterThan(10);
  });

  test("is not before the last caller has its answer, nor before what it sent is stored", async () => {
    let waiting = 1;
    const end = await settle(
      1_000,
      async (pauses) => {
        if (pauses === 10) waiting = 0;
        if (pauses === 11) for (const post of await acceptPosts(1)) await fixture.runToEnd(post);
      },
      () => waiting,
    );
    expect(end).toMatchObject({ openCount: 0 });
    expect(end.ms).toBeGreaterThan(11_000);
  });
});

test("minima follow what the machine did, from all of them to one of each", () => {
  const { plan } = parseOptions([]);
  const slowness = (ms: number) => toSlowness({ startMs: () => ms });
  expect(toScaledMinima(plan.minima, slowness(300))).toEqual(plan.minima);
  const slow = toScaledMinima(plan.minima, slowness(3_000));
  expect(slow).toMatchObject({ requests: 1_000, kills: 50, faults: 2 });
  // A machine that is slower still falls short.
  expect(slowness(60_000)).toBe(slowness(600_000));
  for (const least of Object.values(toScaledMinima(plan.minima, slowness(60_000))))
    expect(least).toBeGreaterThanOrEqual(1);
});

test("busy loops beside a run are processes of their own, and end with it", async () => {
  const neighbours = startNeighbours(2);
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  expect(neighbours.pids.filter(isAlive)).toHaveLength(2);
  await neighbours.close();
  expect(neighbours.pids.filter(isAlive)).toEqual([]);
  expect(parseOptions(["--beside", "6"]).beside).toBe(6);
  expect(() => parseOptions(["--beside", "many"])).toThrow("--beside");
});
