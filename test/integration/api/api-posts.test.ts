import { describe, expect, it, vi } from "vitest";
import { EXAMPLE_RESULT } from "../../support/posts/example-result.ts";
import { createFakePosts } from "../../support/fakes/fake-posts.ts";
import { startTestApi } from "../../support/posts/test-api.ts";

const ID = "7000000000000000001";

describe("GET /v1/posts/:aweme_id", () => {
  it("gives the stored result", async () => {
    const { app, fake } = await startTestApi();
    fake.stored.set(ID, EXAMPLE_RESULT);
    const response = await app.inject(`/v1/posts/${ID}`);
    expect(response.json()).toEqual(EXAMPLE_RESULT);
    expect(response.headers["content-type"]).toBe("application/json; charset=utf-8");
  });

  it.each([
    ["once", 1_000_000, 1],
    ["each time, where nothing is to be kept", 0, 2],
  ])("composes what does not change %s", async (_how, answerMemoryBytes, times) => {
    const stored = new Map([[ID, EXAMPLE_RESULT]]);
    const posts = createFakePosts(stored);
    const find = vi.fn(posts.find);
    const { app } = await startTestApi({ posts: { ...posts, find }, answerMemoryBytes });
    const [first, second] = [
      await app.inject(`/v1/posts/${ID}`),
      await app.inject(`/v1/posts/${ID}`),
    ];
    expect(second?.json()).toEqual(EXAMPLE_RESULT);
    expect(second?.headers["content-type"]).toBe(first?.headers["content-type"]);
    expect(find).toHaveBeenCalledTimes(times);
  });

  it("keeps no answer that has changed, nor one of a post that is gone", async () => {
    const { app, fake } = await startTestApi();
    fake.stored.set(ID, EXAMPLE_RESULT);
    await app.inject(`/v1/posts/${ID}`);
    fake.stored.set(ID, { ...EXAMPLE_RESULT, transcript: "other words" });
    expect((await app.inject(`/v1/posts/${ID}`)).json()).toMatchObject({
      transcript: "other words",
    });
    fake.stored.delete(ID);
    expect((await app.inject(`/v1/posts/${ID}`)).statusCode).toBe(404);
  });

  it.each([
    ["7000000000000000002", 404],
    [`file-${"b".repeat(64)}`, 404],
    ["12", 400],
    ["file-..", 400],
  ])("answers %s with %d", async (id, status) => {
    const { app } = await startTestApi();
    expect((await app.inject(`/v1/posts/${id}`)).statusCode).toBe(status);
  });
});
