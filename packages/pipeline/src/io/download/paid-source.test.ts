import { type PaidCall, type PostSource, RetryableError } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { toPaidSource } from "./paid-source.ts";

const postId = "7345678901234567890";
const options = { signal: new AbortController().signal };
const creator = {
  userId: "1",
  uniqueId: "ada",
  nickname: null,
  followerCount: null,
  postCount: null,
};
const page = { items: [], cursor: null };

/** A source that remembers which of its methods were called, and with what. */
function newSource() {
  const called: string[] = [];
  const source: Required<PostSource> = {
    id: "s",
    callUsd: 0.5,
    fetchPost: () => Promise.reject(new Error("not part of this test")),
    async fetchCreator(uniqueId) {
      called.push(`${this.id} creator ${uniqueId}`);
      return creator;
    },
    async listPosts(query) {
      called.push(`${this.id} posts after ${query.cursor}`);
      return page;
    },
    async listComments(query) {
      called.push(`${this.id} comments of ${query.postId}`);
      return page;
    },
    async listReplies(query) {
      called.push(`${this.id} replies to ${query.commentId}`);
      return page;
    },
  };
  return { source, called };
}

const calls: [what: string, call: (source: PostSource) => Promise<unknown> | undefined][] = [
  ["s creator ada", (source) => source.fetchCreator?.("ada", options)],
  ["s posts after 9", (source) => source.listPosts?.({ creator, cursor: "9" }, options)],
  [`s comments of ${postId}`, (source) => source.listComments?.({ postId, cursor: null }, options)],
  [
    "s replies to 5",
    (source) => source.listReplies?.({ postId, commentId: "5", cursor: null }, options),
  ],
];

describe("a source as stages use it", () => {
  test.each(calls)("asks for %s as a paid call", async (what, call) => {
    const { source, called } = newSource();
    const paid: PaidCall[] = [];
    const pay = async <T>(intent: PaidCall, go: () => Promise<T>) => {
      expect(called).toEqual([]);
      paid.push(intent);
      return await go();
    };
    expect([creator, page]).toContain(await call(toPaidSource(source, { pay })));
    expect(paid).toEqual([{ engine: "s", estimateUsd: 0.5 }]);
    expect(called).toEqual([what]);
  });

  test.each(calls)("never asks for %s without a reservation", async (_what, call) => {
    const { source, called } = newSource();
    const pay = () => Promise.reject(new RetryableError("throttled", "not yet"));
    await expect(call(toPaidSource(source, { pay }))).rejects.toMatchObject({ code: "throttled" });
    expect(called).toEqual([]);
  });

  test("has the methods that the source has", () => {
    const { id, callUsd, fetchPost, listComments } = newSource().source;
    const few = toPaidSource({ id, callUsd, fetchPost, listComments }, { pay: (_, go) => go() });
    expect(Object.keys(few).sort()).toEqual(["callUsd", "fetchPost", "id", "listComments"]);
  });
});
