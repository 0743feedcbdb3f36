import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { toQuestion } from "../../support/conformance/summary-questions.ts";
import { askClaude, CLAUDE_MODEL, connectClaude } from "../../support/fakes/ask-claude.ts";
import { type ClaudeTurn, createFakeClaude, failing } from "../../support/fakes/fake-claude.ts";
import { sendJson } from "../../support/fakes/http-fake.ts";

const signal = new AbortController().signal;

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
    const { error, requests } = await askClaude(failing(status, type));
    expect(error).toMatchObject({ code, costUsd: 0, upstream: `claude:${CLAUDE_MODEL}` });
    expect(requests).toHaveLength(1);
  });

  test("carry the wait that the upstream asked for", async () => {
    const { error } = await askClaude(failing(529, "overloaded_error", { "retry-after": "7" }));
    expect(error).toMatchObject({ code: "upstream_unavailable", retryAfterMs: 7_000 });
  });

  test("include a page instead of a message, which may be asked for again", async () => {
    const { error } = await askClaude((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>login</html>");
    });
    expect(error).toMatchObject({ code: "bad_response", costUsd: 0 });
  });

  test.each([
    ["broken JSON", '{"id": '],
    ["null", "null"],
    ["a message without content", '{"stop_reason": null}'],
  ])("include %s: what was paid for is not bought again", async (_, body) => {
    const { error, requests } = await askClaude((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end(body);
    });
    expect(error).toMatchObject({ code: "invalid_answer" });
    expect((error as { costUsd: number }).costUsd).toBeGreaterThan(0);
    expect(requests).toHaveLength(1);
  });

  test("include an answer that unpacks to more than is read", async () => {
    const { error } = await askClaude((_request, response) => {
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
    const { error } = await askClaude((_request, response) => {
      const type = status === 404 ? "not_found_error" : "invalid_request_error";
      sendJson(response, status, { type: "error", error: { type, message } });
    });
    expect(error).toMatchObject({ code, costUsd: 0 });
    expect(JSON.stringify(error)).not.toContain(message);
  });

  test("include a connection that breaks; the answer may exist, so it is booked at the estimate", async () => {
    const { error } = await askClaude((_, response) => response.destroy());
    expect(error).toMatchObject({ code: "upstream_unavailable" });
    expect((error as { costUsd: number }).costUsd).toBeGreaterThan(0);
  });

  test("include a server that is not there, which costs nothing", async () => {
    const fake = await createFakeClaude(() => {});
    await fake[Symbol.asyncDispose]();
    const done = connectClaude(fake.url).summarize(toQuestion({}), { signal });
    await expect(done).rejects.toMatchObject({ code: "upstream_unavailable", costUsd: 0 });
  });

  test("include silence past the time limit", async () => {
    await using fake = await createFakeClaude(() => {});
    const done = connectClaude(fake.url, { timeoutMs: 50 }).summarize(toQuestion({}), { signal });
    await expect(done).rejects.toMatchObject({ code: "upstream_unavailable" });
  });

  test("include an answer that drips past the time limit", async () => {
    await using fake = await createFakeClaude((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    });
    const done = connectClaude(fake.url, { timeoutMs: 200 }).summarize(toQuestion({}), { signal });
    await expect(done).rejects.toMatchObject({ code: "upstream_unavailable" });
  });

  test("never hold the key or the evidence", async () => {
    const echo: ClaudeTurn = ({ messages }, response) => {
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { type: "invalid_request_error", message: messages } }));
    };
    const { error } = await askClaude(echo);
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
    const done = connectClaude(fake.url).summarize(toQuestion({}), { signal: controller.signal });
    await expect(done).rejects.toBe(reason);
  });
});
