import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "@clipmill/domain";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@clipmill/postgres";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

/** Where Debian's package `faketime` puts it. */
const LIBRARY = readdirSync("/usr/lib")
  .map((directory) => `/usr/lib/${directory}/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path));

const LEASE_SECONDS = 30;
const HINT_SECONDS = 60;
const RETRY_SECONDS = 5;

describe.skipIf(LIBRARY === undefined)("a Postgres whose clock is set (needs faketime)", () => {
  let directory: string;
  let server: EmbeddedPostgres;
  let fixture: WorkFixture;
  let work: WorkFixture["work"];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-clock-"));
    await setClock(0);
    server = await startEmbeddedPostgres({
      directory: join(directory, "postgres"),
      durable: false,
      env: {
        LD_PRELOAD: LIBRARY ?? "",
        FAKETIME_TIMESTAMP_FILE: join(directory, "offset"),
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      },
      log: { info() {} },
    });
  });

  afterAll(async () => {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });

  beforeEach(async () => {
    await setClock(0);
    fixture = await openWorkFixture(server.url);
    ({ work } = fixture);
  });

  afterEach(() => fixture[Symbol.asyncDispose]());

  /** So many seconds before (below 0) or after the true time. Whole or not at all: the server reads it at any moment. */
  async function setClock(seconds: number): Promise<void> {
    const path = join(directory, "offset");
    await writeFile(`${path}.new`, `${seconds < 0 ? "" : "+"}${seconds}`);
    await rename(`${path}.new`, path);
  }

  const readClock = async () =>
    (
      await fixture.rows<{ s: number }>("select extract(epoch from clock_timestamp())::float8 as s")
    )[0]?.s ?? Number.NaN;

  async function accept(): Promise<string> {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    return postId;
  }

  const pickKeys = async () => (await work.dispatch("io", 100)).map(({ key }) => key);

  async function stateOf(postId: string): Promise<string | undefined> {
    return (await fixture.stagesOf(postId))[0]?.state;
  }

  /** Runs what is ready, stage by stage, until nothing is. */
  async function finish(): Promise<void> {
    for (let count = 1; count > 0;) {
      count = 0;
      for (const queue of ["io", "gpu", "llm"] as const) {
        const jobs = await work.claim(await work.dispatch(queue, 100), "alive");
        if (jobs.length > 0) await work.settle(jobs.map((job) => toDone(job, job.key)));
        count += jobs.length;
      }
    }
  }

  test.each([30, 3_600])(
    "a step of %d s back delays what waits by as much, and loses nothing",
    async (step) => {
      const [held, orphan, failed, hinted] = [
        await accept(),
        await accept(),
        await accept(),
        await accept(),
      ];
      const hints = await work.dispatch("io", 100);
      const hintOf = (postId: string) => hints.filter(({ key }) => key === postId);
      const [running] = await work.claim(hintOf(held), "alive");
      const [lost] = await work.claim(hintOf(orphan), "dead");
      const [retrying] = await work.claim(hintOf(failed), "alive");
      if (running === undefined || lost === undefined || retrying === undefined)
        throw new Error("not claimed");
      const { id, epoch } = retrying;
      const retry: Outcome = {
        id,
        epoch,
        kind: "retry",
        counts: true,
        delayMs: RETRY_SECONDS * 1_000,
        code: "unavailable",
        message: "later",
        upstream: null,
      };
      await work.settle([retry]);
      const waiting = await accept();

      const before = await readClock();
      await setClock(-step);
      expect(await readClock()).toBeLessThan(before - step / 2);

      // Whoever holds a job keeps it and ends it; a hint that is out is good; what comes now goes at once.
      expect(await work.extend([running])).toHaveLength(1);
      expect(await work.settle([toDone(running, held)])).toMatchObject({ fenced: [] });
      expect(await work.claim(hintOf(hinted), "alive")).toHaveLength(1);
      const fresh = await accept();
      expect(await pickKeys()).toEqual([fresh]);
      expect(await work.reconcile()).toEqual({ requeued: 0, expired: 0, poisoned: 0, timedOut: 0 });
      expect(await stateOf(waiting)).toBe("ready");
      expect(await stateOf(failed)).toBe("ready");
      expect(await stateOf(orphan)).toBe("running");

      // So much time has passed, and what was due before the step is due again, in its order.
      await setClock(1);
      expect(await pickKeys()).toEqual([waiting]);
      await setClock(RETRY_SECONDS + 1);
      expect(await pickKeys()).toEqual([failed]);
      await setClock(LEASE_SECONDS + 1);
      await work.reconcile();
      expect(await stateOf(orphan)).toBe("ready");
      expect(await work.settle([toDone(lost, orphan)])).toMatchObject({
        fenced: [{ id: lost.id, epoch: lost.epoch }],
      });

      // The hints that nobody has taken above time out, too, and everything ends.
      await setClock(HINT_SECONDS + LEASE_SECONDS + 1);
      await work.reconcile();
      await finish();
      expect(await fixture.rows("select state from request group by state")).toEqual([
        { state: "done" },
      ]);
    },
  );

  test("a step forward ends leases early, and the fence holds", async () => {
    const postId = await accept();
    const early = await fixture.claimStage(postId, "io");
    await setClock(3_600);
    expect(await work.reconcile()).toMatchObject({ expired: 1 });
    const late = await fixture.claimStage(postId, "io");
    expect(late.epoch).toBeGreaterThan(early.epoch);
    expect(await work.extend([early])).toEqual([]);
    expect(await work.settle([toDone(early, "nobody")])).toMatchObject({
      fenced: [{ id: early.id, epoch: early.epoch }],
    });
    expect(await work.settle([toDone(late, postId)])).toMatchObject({ fenced: [] });
    expect(await fixture.rows("select output from stage_job where stage = 'first'")).toEqual([
      { output: { postId } },
    ]);
  });
});
