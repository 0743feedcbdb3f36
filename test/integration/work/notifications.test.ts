import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let client: pg.Client;
const heard: string[] = [];

beforeAll(async () => {
  fixture = await openWorkFixture();
  client = new pg.Client({ connectionString: fixture.database.url });
  client.on("notification", ({ channel, payload }) => heard.push(`${channel} ${payload}`));
  await client.connect();
  await client.query("listen clipmill_ready; listen clipmill_request");
});

afterAll(async () => {
  await client.end();
  await fixture[Symbol.asyncDispose]();
});

async function runPost(lane: "standard" | "backfill"): Promise<string> {
  const postId = newPostId();
  const [accepted] = await fixture.work.accept([toSubmission(postId, { lane })]);
  await fixture.runToEnd(postId);
  return accepted?.requestId ?? "";
}

test("each step and the end of a post are notified; of a backfill only that it was accepted", async () => {
  // Notifications come in the order of their commits, so the second post's end is the last of all.
  const [backfill, standard] = [await runPost("backfill"), await runPost("standard")];
  await vi.waitFor(() => expect(heard).toContain(`clipmill_request ${standard}`));
  expect(heard).toEqual([
    "clipmill_ready io",
    "clipmill_ready io",
    "clipmill_ready gpu",
    "clipmill_ready llm",
    `clipmill_request ${standard}`,
  ]);
  expect(await fixture.requestOf(backfill)).toMatchObject({ state: "done" });
});

test("a step is not notified while work of its tenant is ready already; another tenant's is", async () => {
  const end = async (tenant: string) => {
    const postId = newPostId();
    await fixture.work.accept([toSubmission(postId, { tenant })]);
    await fixture.work.settle([toDone(await fixture.claimStage(postId, "io"), postId)]);
  };
  heard.length = 0;
  for (const tenant of ["busy", "busy", "busy", "quiet"]) await end(tenant);
  const steps = () => heard.filter((line) => line === "clipmill_ready gpu").length;
  const accepted = () => heard.filter((line) => line === "clipmill_ready io").length;
  await vi.waitFor(() =>
    expect({ accepted: accepted(), steps: steps() }).toEqual({ accepted: 4, steps: 2 }),
  );
  const waiting =
    "select tenant from stage_job where queue = 'gpu' and state = 'ready' order by id";
  expect((await fixture.rows<{ tenant: string }>(waiting)).map(({ tenant }) => tenant)).toEqual([
    "busy",
    "busy",
    "busy",
    "quiet",
  ]);
});
