import {
  type ArtifactReader,
  type Evidence,
  RetryableError,
  type SummaryProvider,
  type SummaryQuestion,
  type Unread,
  UnrecoverableError,
} from "@clipmill/domain";
import { expect, test, vi } from "vitest";
import { createSummarize, summarize } from "./kinds/summary.ts";

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn(), child: () => log };
const ctx = {
  signal: new AbortController().signal,
  log,
  attempt: 1,
  expiredToken: null,
  now: () => new Date(0),
  pay: <T>(_call: unknown, call: () => Promise<T>) => call(),
};
const counters = { plays: null, likes: null, comments: null, shares: null };
const artifacts = {
  findPost: async () => ({
    post: { author: { uniqueId: "ada", followerCount: null }, music: null, title: "Soup" },
    engagement: counters,
  }),
  find: async () => null,
} as unknown as ArtifactReader;
const unread: Unread = { part: "sound", code: "unsupported", message: "bvc2" };
const input = {
  postId: "7345678901234567890",
  transcriptKey: null,
  transcriptHash: null,
  screenTextKey: null,
  screenHash: null,
  metadataHash: "a".repeat(64),
  unread: [] as Unread[],
  engines: ["model", "rule"],
};
const body = { tldr: "a", takeaways: ["a", "b", "c"], sentiment: "neutral" as const, cta: "a" };

function engine(id: string, fails: Error | null, asked: SummaryQuestion[] = []): SummaryProvider {
  return {
    id,
    estimateUsd: () => 0,
    async summarize(question) {
      asked.push(question);
      if (fails !== null) throw fails;
      return { summary: body, usd: 0, inputTokens: 0, outputTokens: 0 };
    },
  };
}

test("an answer that was paid for and cannot be read leaves the post to the next engine", async () => {
  const odd = new UnrecoverableError("invalid_answer", "odd");
  const llm = [engine("model", odd), engine("rule", null)];
  const { output } = (await createSummarize({ llm, artifacts }).run(input, ctx)) as {
    output: object;
  };
  expect(output).toMatchObject({ engine: "rule", passed: { model: "invalid_answer" } });
});

test("an engine that is busy is waited for", async () => {
  const busy = new RetryableError("throttled", "429");
  const llm = [engine("model", busy), engine("rule", null)];
  await expect(createSummarize({ llm, artifacts }).run(input, ctx)).rejects.toBe(busy);
});

test("what was not read is told, may be repeated, and is part of the key", async () => {
  const asked: SummaryQuestion[] = [];
  const stage = createSummarize({ llm: [engine("model", null, asked)], artifacts });
  await stage.run(input, ctx);
  await stage.run({ ...input, unread: [unread] }, ctx);
  const [plain, told] = asked as [SummaryQuestion, SummaryQuestion];
  expect(told.user).toContain("not_read");
  expect(told.system.startsWith(plain.system)).toBe(true);
  expect(told.system).toContain(told.mayQuote?.split("\n").at(-1));
  expect((told.evidence satisfies Evidence).unread).toEqual([unread]);
  expect(plain.user).not.toContain("not_read");
  const keys = [input, { ...input, unread: [unread] }].map((each) => summarize.key(each));
  expect(new Set(keys).size).toBe(2);
});

test("the prompt asks for words that an answer may repeat", async () => {
  const asked: SummaryQuestion[] = [];
  await createSummarize({ llm: [engine("model", null, asked)], artifacts }).run(input, ctx);
  expect(asked[0]?.mayQuote).toContain("neither transcript nor on-screen text");
  expect(asked[0]?.mayQuote).not.toContain("written by strangers");
});
