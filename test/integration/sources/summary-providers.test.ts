import { gzipSync } from "node:zlib";
import { Summary } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { createExtractive } from "../../../packages/providers/src/llm/extractive/create-extractive.ts";
import { describeSummaryProvider } from "../../support/conformance/describe-summary-provider.ts";
import { CANARY, toQuestion } from "../../support/conformance/summary-questions.ts";
import { askClaude, CLAUDE_MODEL, connectClaude } from "../../support/fakes/ask-claude.ts";
import {
  createFakeClaude,
  failing,
  GOOD_ANSWER,
  parseClaudeRequest,
  saying,
} from "../../support/fakes/fake-claude.ts";
import { sendJson } from "../../support/fakes/http-fake.ts";

const signal = new AbortController().signal;
/** 1,000 in and 100 out, as the fake reports. */
const CALL_USD = 0.00015;
const toContent = () => JSON.stringify(JSON.stringify(GOOD_ANSWER));
const good = saying(JSON.stringify(GOOD_ANSWER));

describeSummaryProvider("extractive", async () => ({
  provider: createExtractive(),
  async [Symbol.asyncDispose]() {},
}));

describeSummaryProvider("claude", async () => {
  const fake = await createFakeClaude(good);
  return {
    provider: connectClaude(fake.url),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
});

describe("claude's request", () => {
  test("keeps instructions and evidence apart, asks for the schema, and offers no tools", async () => {
    const { requests } = await askClaude(good);
    expect(requests).toHaveLength(1);
    const [request] = requests;
    expect(request).toMatchObject({ method: "POST", path: "/v1/messages" });
    expect(request?.headers).toMatchObject({
      authorization: "Bearer key-of-the-test",
      "anthropic-version": expect.any(String),
    });
    const body = parseClaudeRequest(request!);
    expect(body).toMatchObject({
      model: CLAUDE_MODEL,
      thinking: { type: "disabled" },
      max_tokens: expect.any(Number),
      output_config: { format: { type: "json_schema", schema: { additionalProperties: false } } },
    });
    expect(body).not.toHaveProperty("tools");
    expect(body).not.toHaveProperty("temperature");
    expect(body.system).toContain(CANARY);
    expect(body.messages.map(({ role }) => role)).toEqual(["user"]);
    expect(JSON.stringify(body.messages)).not.toContain(CANARY);
    expect(JSON.stringify(body.messages)).toContain("grind the beans");
  });

  test("asks a model that always thinks for low effort instead", async () => {
    await using fake = await createFakeClaude(good);
    await connectClaude(fake.url, { model: "claude-opus-5-5" }).summarize(toQuestion({}), {
      signal,
    });
    const body = parseClaudeRequest(fake.requests[0]!);
    expect(body).not.toHaveProperty("thinking");
    expect(body).toMatchObject({ output_config: { effort: "low" } });
  });
});

describe("claude's answer", () => {
  test("is read from the first text block, and booked from its usage", async () => {
    const { answer } = await askClaude(good);
    expect(answer).toMatchObject({
      summary: GOOD_ANSWER,
      inputTokens: 1_000,
      outputTokens: 100,
      usd: CALL_USD,
    });
  });

  test("is repaired once: the model is told what is wrong, and both calls are booked", async () => {
    const bad = saying(JSON.stringify({ ...GOOD_ANSWER, takeaways: ["one"] }));
    const { answer, requests } = await askClaude(bad, good);
    expect(answer).toMatchObject({ inputTokens: 2_000, usd: 2 * CALL_USD });
    expect(Summary.safeParse(answer?.summary).success).toBe(true);
    const { messages } = parseClaudeRequest(requests[1]!);
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(messages[2]?.content).toContain("3 to 5 takeaways");
  });

  test.each([
    ["no JSON", saying("Sure! Here you go.")],
    ["cut off", saying('{"tldr": "a', { stop_reason: "max_tokens" })],
    ["empty", saying("x", { content: [] })],
    ["over the limits", saying(JSON.stringify({ ...GOOD_ANSWER, cta: "go ".repeat(16) }))],
    ["a recital of the instructions", saying(JSON.stringify({ ...GOOD_ANSWER, tldr: CANARY }))],
  ])("that is %s twice is invalid, with both calls booked", async (_, bad) => {
    const { error, requests } = await askClaude(bad);
    expect(error).toMatchObject({ code: "invalid_answer", costUsd: 2 * CALL_USD });
    expect(JSON.stringify(error)).not.toContain(CANARY);
    expect(requests).toHaveLength(2);
  });

  test("that is refused is not asked for again, and is booked", async () => {
    const { error, requests } = await askClaude(
      saying(JSON.stringify(GOOD_ANSWER), {
        stop_reason: "refusal",
        stop_details: { type: "refusal", category: "cyber", explanation: null },
      }),
    );
    expect(error).toMatchObject({
      code: "refused",
      costUsd: CALL_USD,
      details: { category: "cyber" },
    });
    expect(requests).toHaveLength(1);
  });

  test.each<[what: string, body: (message: string) => string | Buffer, headers: object]>([
    ["with a byte order mark", (message) => `\ufeff${message}`, {}],
    ["in gzip", (message) => gzipSync(message), { "content-encoding": "gzip" }],
    ["without usage", (message) => message.replace('"usage"', '"use"'), {}],
    [
      "with odd usage",
      (message) => message.replace('"input_tokens":9', '"input_tokens":NaN,"x":9'),
      {},
    ],
    ["with text for its content", (message) => message.replace(/\[.*\](?=,"stop)/, toContent), {}],
  ])("%s is read, and booked", async (_, toBody, headers) => {
    const { answer, requests } = await askClaude((request, response) => {
      const content = [{ type: "text", text: JSON.stringify(GOOD_ANSWER) }];
      const usage = { input_tokens: 9, output_tokens: 9 };
      const message = JSON.stringify({
        model: request.model,
        content,
        stop_reason: "end_turn",
        usage,
      });
      response.writeHead(200, { "content-type": "application/json", ...headers });
      response.end(toBody(message));
    });
    expect(answer?.summary).toEqual(GOOD_ANSWER);
    expect(answer?.usd).toBeGreaterThan(0);
    expect(requests).toHaveLength(1);
  });

  test("of a server that does not know the schema's parameter is asked for without it", async () => {
    const { answer, requests } = await askClaude((request, response) => {
      if (request["output_config"] === undefined) good(request, response);
      else {
        const message = "output_config: Extra inputs are not permitted";
        sendJson(response, 400, { error: { type: "invalid_request_error", message } });
      }
    });
    expect(answer?.summary).toEqual(GOOD_ANSWER);
    expect(parseClaudeRequest(requests[1]!).system).toContain('"takeaways"');
  });

  test("to the repair may fail, and then still carries the first call's cost", async () => {
    const { error } = await askClaude(saying("no JSON"), failing(429, "rate_limit_error"));
    expect(error).toMatchObject({ code: "throttled", costUsd: CALL_USD });
  });
});
