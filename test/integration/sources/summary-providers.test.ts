import { gzipSync } from "node:zlib";
import { Summary } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { createClaude } from "../../../packages/providers/src/llm/claude/create-claude.ts";
import { createExtractive } from "../../../packages/providers/src/llm/extractive/create-extractive.ts";
import { describeSummaryProvider } from "../../support/conformance/describe-summary-provider.ts";
import {
  type ClaudeTurn,
  createFakeClaude,
  failing,
  GOOD_ANSWER,
  parseClaudeRequest,
  saying,
} from "../../support/fakes/fake-claude.ts";
import { sendJson } from "../../support/fakes/http-fake.ts";
import { CANARY, toQuestion } from "../../support/conformance/summary-questions.ts";

const MODEL = "claude-haiku-5-5";
const signal = new AbortController().signal;
/** 1,000 in and 100 out, as the fake reports. */
const CALL_USD = 0.00015;
const toContent = () => JSON.stringify(JSON.stringify(GOOD_ANSWER));
const good = saying(JSON.stringify(GOOD_ANSWER));

function connect(url: string, { model = MODEL, timeoutMs = 10_000 } = {}) {
  return createClaude({
    apiKey: "key-of-the-test",
    baseUrl: url,
    model,
    engine: `claude:${model}`,
    timeoutMs,
  });
}

async function ask(...turns: ClaudeTurn[]) {
  await using fake = await createFakeClaude(...turns);
  const outcome = await connect(fake.url)
    .summarize(toQuestion({ transcript: "grind the beans" }), { signal })
    .then(
      (answer) => ({ answer, error: null }),
      (error: unknown) => ({ answer: null, error }),
    );
  return { ...outcome, requests: fake.requests };
}

describeSummaryProvider("extractive", async () => ({
  provider: createExtractive(),
  async [Symbol.asyncDispose]() {},
}));

describeSummaryProvider("claude", async () => {
  const fake = await createFakeClaude(good);
  return {
    provider: connect(fake.url),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
});

describe("claude's request", () => {
  test("keeps instructions and evidence apart, asks for the schema, and offers no tools", async () => {
    const { requests } = await ask(good);
    expect(requests).toHaveLength(1);
    const [request] = requests;
    expect(request).toMatchObject({ method: "POST", path: "/v1/messages" });
    expect(request?.headers).toMatchObject({
      authorization: "Bearer key-of-the-test",
      "anthropic-version": expect.any(String),
    });
    const body = parseClaudeRequest(request!);
    expect(body).toMatchObject({
      model: MODEL,
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
    await connect(fake.url, { model: "claude-opus-5-5" }).summarize(toQuestion({}), { signal });
    const body = parseClaudeRequest(fake.requests[0]!);
    expect(body).not.toHaveProperty("thinking");
    expect(body).toMatchObject({ output_config: { effort: "low" } });
  });
});

describe("claude's answer", () => {
  test("is read from the first text block, and booked from its usage", async () => {
    const { answer } = await ask(good);
    expect(answer).toMatchObject({
      summary: GOOD_ANSWER,
      inputTokens: 1_000,
      outputTokens: 100,
      usd: CALL_USD,
    });
  });

  test("is repaired once: the model is told what is wrong, and both calls are booked", async () => {
    const bad = saying(JSON.stringify({ ...GOOD_ANSWER, takeaways: ["one"] }));
    const { answer, requests } = await ask(bad, good);
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
    const { error, requests } = await ask(bad);
    expect(error).toMatchObject({ code: "invalid_answer", costUsd: 2 * CALL_USD });
    expect(JSON.stringify(error)).not.toContain(CANARY);
    expect(requests).toHaveLength(2);
  });

  test("that is refused is not asked for again, and is booked", async () => {
    const { error, requests } = await ask(
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
    const { answer, requests } = await ask((request, response) => {
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
    const { answer, requests } = await ask((request, response) => {
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
    const { error } = await ask(saying("no JSON"), failing(429, "rate_limit_error"));
    expect(error).toMatchObject({ code: "throttled", costUsd: CALL_USD });
  });
});

describe("claude's failures", () => {
  test.each([
    [401, "authentication_error", "provider_key"],
    [403, "permission_error", "provider_key"],
    [402, "billing_error", "provider_balance"],
    [400, "billing_error", "provider_balance"],
    [429, "rate_limit_error", "throttled"],
    [500, "api_error", "upstream_unavailable"],
    [529, "overloaded_error", "upstream_unavailable"],
    [500, "overloaded_error", "upstream_unavailable"],
    [400, "invalid_request_error", "bad_response"],
  ])("%i %s is %s, not tried again and not booked", async (status, type, code) => {
    const { error, requests } = await ask(failing(status, type));
    expect(error).toMatchObject({ code, costUsd: 0, upstream: `claude:${MODEL}` });
    expect(requests).toHaveLength(1);
  });

  test("carry the wait that the upstream asked for", async () => {
    const { error } = await ask(failing(529, "overloaded_error", { "retry-after": "7" }));
    expect(error).toMatchObject({ code: "upstream_unavailable", retryAfterMs: 7_000 });
  });

  test("include a page instead of a message, which may be asked for again", async () => {
    const { error } = await ask((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>login</html>");
    });
    expect(error).toMatchObject({ code: "bad_response", costUsd: 0 });
  });

  test.each([
    ["broken JSON", '{"id": '],
    ["null", "null"],
    ["a message without content", '{"stop_reason": null}'],
  ])("include %s: what was paid for is not bought again", async (_, body) => {
    const { error, requests } = await ask((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end(body);
    });
    expect(error).toMatchObject({ code: "invalid_answer" });
    expect((error as { costUsd: number }).costUsd).toBeGreaterThan(0);
    expect(requests).toHaveLength(1);
  });

  test("include an answer that unpacks to more than is read", async () => {
    const { error } = await ask((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync(Buffer.alloc(30_000_000, 32)));
    });
    expect(error).toMatchObject({ code: "invalid_answer" });
  });

  test.each<[what: string, status: number, message: string, code: string]>([
    [
      "an empty account",
      400,
      "Your credit balance is too low. Go to Plans & Billing.",
      "provider_balance",
    ],
    ["any other 400", 400, "messages: text content blocks must be non-empty", "bad_response"],
    ["a model that is not known", 404, "model: claude-x", "provider_key"],
  ])("include %s", async (_, status, message, code) => {
    const { error } = await ask((_request, response) => {
      const type = status === 404 ? "not_found_error" : "invalid_request_error";
      sendJson(response, status, { type: "error", error: { type, message } });
    });
    expect(error).toMatchObject({ code, costUsd: 0 });
    expect(JSON.stringify(error)).not.toContain(message);
  });

  test("include a connection that breaks; the answer may exist, so it is booked at the estimate", async () => {
    const { error } = await ask((_, response) => response.destroy());
    expect(error).toMatchObject({ code: "upstream_unavailable" });
    expect((error as { costUsd: number }).costUsd).toBeGreaterThan(0);
  });

  test("include a server that is not there, which costs nothing", async () => {
    const fake = await createFakeClaude(good);
    await fake[Symbol.asyncDispose]();
    const done = connect(fake.url).summarize(toQuestion({}), { signal });
    await expect(done).rejects.toMatchObject({ code: "upstream_unavailable", costUsd: 0 });
  });

  test("include silence past the time limit", async () => {
    await using fake = await createFakeClaude(() => {});
    const done = connect(fake.url, { timeoutMs: 50 }).summarize(toQuestion({}), { signal });
    await expect(done).rejects.toMatchObject({ code: "upstream_unavailable" });
  });

  test("never hold the key or the evidence", async () => {
    const echo: ClaudeTurn = ({ messages }, response) => {
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { type: "invalid_request_error", message: messages } }));
    };
    const { error } = await ask(echo);
    let seen = "";
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      seen += `${cause.message} ${JSON.stringify(cause)}`;
    }
    expect(seen).toContain("400");
    expect(seen).not.toMatch(/grind the beans|key-of-the-test/);
  });

  test("are the signal's reason when the caller gives up", async () => {
    const controller = new AbortController();
    const reason = new Error("lost lock");
    await using fake = await createFakeClaude(() => controller.abort(reason));
    const done = connect(fake.url).summarize(toQuestion({}), { signal: controller.signal });
    await expect(done).rejects.toBe(reason);
  });
});
