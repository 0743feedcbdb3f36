import { createDeadLetter } from "@clipmill/db";
import { expect, test } from "vitest";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture } from "../../support/work/work-fixture.ts";

test("a retry lifts the deadline, so that neither a past one nor one to come ends the request untried", async () => {
  await using fixture = await openWorkFixture();
  const { work, rows } = fixture;
  const deadline = new Date(Date.now() + 3_600_000).toISOString();
  const posts = [newPostId(), newPostId()];
  const accepted = await work.accept(posts.map((postId) => toSubmission(postId, { deadline })));
  for (const postId of posts) {
    const { id, epoch } = await fixture.claimStage(postId, "io");
    const why = { code: "corrupt_media", message: "broken", upstream: null } as const;
    await work.settle([{ id, epoch, kind: "failed", ...why }]);
  }
  await rows("update request set deadline = now() - interval '1 hour' where id = $1", [
    accepted[0]?.requestId,
  ]);
  await createDeadLetter(fixture.database).retry({ filter: {}, limit: 10 });
  await rows("update request set deadline = now() where deadline is not null");
  expect(await work.expireDeadlines()).toBe(0);
  for (const postId of posts) await fixture.runToEnd(postId);
  expect(await rows("select state from request")).toEqual([{ state: "done" }, { state: "done" }]);
});
