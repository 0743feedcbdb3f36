import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newPostId, toSubmission } from "../support/toy-pipeline.ts";
import { openWorkFixture, type WorkFixture } from "../support/work-fixture.ts";

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

test("each step of a post is news, and its end is; of a backfill only that it was accepted", async () => {
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
