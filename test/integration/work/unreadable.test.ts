import { createDeadLetter } from "@clipmill/db";
import type { ClaimedJob, Outcome } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ work, rows } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

/** As a worker of another version ends a job: no stage of this one can read it. */
const toForeign = ({ id, epoch }: ClaimedJob): Outcome => {
  return { id, epoch, kind: "done", output: { post: 7 }, records: [], calls: [] };
};

const stateOf = async (id: string | undefined) => (await fixture.requestOf(id))?.["state"];

/** Runs the job of a queue; `isForeign`: on a worker of another version. */
async function run(postId: string, queue: "io" | "gpu" | "llm", isForeign = false): Promise<void> {
  const job = await fixture.claimStage(postId, queue);
  await work.settle([isForeign ? toForeign(job) : toDone(job, postId)]);
}

describe("a stored output that this version cannot read", () => {
  test("costs a run, and then the request ends well", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    await run(postId, "io", true);
    expect(await stateOf(accepted?.requestId)).toBe("open");
    for (const queue of ["io", "gpu", "llm"] as const) await run(postId, queue);
    expect(await stateOf(accepted?.requestId)).toBe("done");
    expect(await rows("select stage, epoch from stage_job order by id")).toEqual([
      { stage: "first", epoch: 2 },
      { stage: "second", epoch: 1 },
      { stage: "third", epoch: 1 },
    ]);
  });

  test("costs a run of the request that finds it while it waits for a later step", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    await run(postId, "io");
    const later = await fixture.claimStage(postId, "gpu");
    await rows(`update stage_job set output = '{"post": 7}' where stage = 'first'`);
    await work.settle([toDone(later, postId)]);
    for (const queue of ["io", "llm"] as const) await run(postId, queue);
    expect(await stateOf(accepted?.requestId)).toBe("done");
  });

  test("of a step that follows costs one run for all who wait and all who ask", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId), toSubmission(postId)]);
    await run(postId, "io");
    await run(postId, "gpu", true);
    await work.accept([toSubmission(postId)]);
    await run(postId, "gpu");
    await run(postId, "llm");
    expect(await rows("select distinct state from request")).toEqual([{ state: "done" }]);
    expect(await rows("select epoch from stage_job where stage = 'second'")).toEqual([
      { epoch: 2 },
    ]);
  });

  test("again and again ends in the dead letter, from where it can be retried", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    for (let n = 0; n < 3; n++) await run(postId, "io", true);
    expect(await fixture.requestOf(accepted?.requestId)).toMatchObject({
      state: "failed",
      failed_stage: "first",
      error_code: "internal",
    });
    const dead = createDeadLetter(fixture.database);
    const { jobs } = await dead.list({}, { limit: 10 });
    expect(jobs).toMatchObject([{ stage: "first", code: "internal" }]);
    expect(await dead.retry({ filter: {}, limit: 10 })).toEqual({ jobCount: 1, requestCount: 1 });
    for (const queue of ["io", "gpu", "llm"] as const) await run(postId, queue);
    expect(await stateOf(accepted?.requestId)).toBe("done");
  });

  test("whose stage has another key now is replaced by the job of that key", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    await run(postId, "io");
    await rows(
      `update stage_job set key = 'as it was', output = '{"post": 7}' where stage = 'first'`,
    );
    await run(postId, "gpu");
    for (const queue of ["io", "llm"] as const) await run(postId, queue);
    expect(await stateOf(accepted?.requestId)).toBe("done");
    const linked = `select j.key from request_stage_job l join stage_job j on j.id = l.stage_job_id
      where j.stage = 'first'`;
    expect(await rows(linked)).toEqual([{ key: postId }]);
  });
});
