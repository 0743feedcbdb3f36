import Anthropic, {
  APIConnectionTimeoutError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  OverloadedError,
  PaymentRequiredError,
  RateLimitError,
} from "@anthropic-ai/sdk";
import { createSandbox, type Fault, samplePosts, type Sandbox } from "@clipmill/sandbox";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const [post, other] = samplePosts();
if (post === undefined || other === undefined) throw new Error("the pack is empty");
const video = post.files[0];
const headers = { "x-api-key": "sandbox" };
const logged: unknown[] = [];
let sandbox: Sandbox;

beforeEach(async () => {
  logged.length = 0;
  sandbox = await createSandbox({ log: { info: (fields) => logged.push(fields) } });
});
afterEach(async () => {
  await sandbox.close();
});

function fetchDetail(id = post?.id): Promise<Response> {
  return fetch(`${sandbox.url}/tiklive/post-detail/?url=${id}`, { headers });
}

async function fetchVideo(init?: RequestInit): Promise<Response> {
  const detail = (await (await fetchDetail()).json()) as { play: string };
  return fetch(detail.play, init);
}

describe("a fault that was asked for", () => {
  test("fires as often as asked, on its post alone, and is counted and logged", async () => {
    sandbox.addFaults([
      { kind: "server-error", match: { postId: post.id, route: "post-detail" }, times: 2 },
    ]);
    const statuses = [];
    for (const id of [post.id, other.id, post.id, post.id])
      statuses.push((await fetchDetail(id)).status);
    expect(statuses).toEqual([503, 200, 503, 200]);
    expect(sandbox.calls()["post-detail"]).toEqual({
      total: 4,
      faults: { "server-error": 2 },
      posts: { [post.id]: 3, [other.id]: 1 },
    });
    expect(logged).toEqual(
      [1, 2].map(() => ({ route: "post-detail", kind: "server-error", postId: post.id })),
    );
  });

  test("can be there from the start", async () => {
    const faulty = await createSandbox({ faults: [{ kind: "overloaded" }, { kind: "html" }] });
    try {
      const response = await fetch(`${faulty.url}/t/${post.shortCode}`);
      expect(await response.text()).toMatch(/^<!doctype html>/);
    } finally {
      await faulty.close();
    }
  });

  test("is not used up by a request that is wrong by itself", async () => {
    sandbox.addFaults([{ kind: "overloaded", times: 1 }]);
    await fetch(`${sandbox.url}/anthropic/v1/messages`, { method: "POST", body: "{}" });
    expect(sandbox.calls().messages).toMatchObject({ total: 1, faults: {} });
  });

  test("comes and goes over HTTP, and one that can never fire is refused", async () => {
    const ask = (body: unknown) =>
      fetch(`${sandbox.url}/_faults`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const fault: Fault = { kind: "server-error", match: { route: "post-detail" }, status: 502 };
    expect((await ask(fault)).status).toBe(204);
    expect((await fetchDetail()).status).toBe(502);
    expect((await fetch(`${sandbox.url}/_faults`, { method: "DELETE" })).status).toBe(204);
    expect((await fetchDetail()).status).toBe(200);
    expect((await ask([{ kind: "overloaded", match: { route: "cdn" } }])).status).toBe(400);
    expect(() => sandbox.addFaults([{ kind: "html", rate: 7 }])).toThrow(/rate/);
    const calls = await (await fetch(`${sandbox.url}/_calls`)).json();
    expect(calls).toEqual(sandbox.calls());
  });

  test("with a rate, hits the same requests for the same seed", async () => {
    const run = async (seed: number) => {
      const faulty = await createSandbox({ seed, faults: [{ kind: "server-error", rate: 0.5 }] });
      const statuses = [];
      for (let i = 0; i < 40; i++) {
        statuses.push((await fetch(`${faulty.url}/t/x`, { redirect: "manual" })).status);
      }
      const fired = faulty.calls()["short-link"].faults["server-error"];
      await faulty.close();
      expect(fired).toBe(statuses.filter((status) => status === 503).length);
      return statuses;
    };
    const first = await run(1);
    expect(new Set(first)).toEqual(new Set([302, 503]));
    expect(await run(1)).toEqual(first);
    expect(await run(2)).not.toEqual(first);
  });
});

describe("what goes wrong on the way", () => {
  test.each<[Fault, number, RegExp]>([
    [{ kind: "rate-limited", retryAfterS: 7 }, 429, /message/],
    [{ kind: "server-error", status: 500 }, 500, /message/],
    [{ kind: "bad-key" }, 200, /^\{"message":"[^"]*API key/],
    [{ kind: "no-balance" }, 200, /^\{"message":"[^"]*balance/],
    [{ kind: "html" }, 200, /<html>/],
  ])("%o on the API", async (fault, status, text) => {
    sandbox.addFaults([fault]);
    const response = await fetchDetail();
    expect(response.status).toBe(status);
    expect(response.headers.get("retry-after")).toBe(fault.retryAfterS?.toString() ?? null);
    expect(await response.text()).toMatch(text);
  });

  test.each<[Fault["kind"], number, RegExp]>([
    ["expired-link", 403, /expired/],
    ["region-locked", 403, /country/],
    ["html", 200, /<html>/],
    ["rate-limited", 429, /./],
    ["server-error", 503, /./],
  ])("%s on the CDN", async (kind, status, text) => {
    sandbox.addFaults([{ kind, match: { route: "cdn" } }]);
    const response = await fetchVideo();
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(text);
    expect(sandbox.calls().cdn.faults).toEqual({ [kind]: 1 });
  });

  test("a cut file is a complete answer of half the length", async () => {
    sandbox.addFaults([{ kind: "cut-file" }]);
    const content = await (await fetchVideo()).arrayBuffer();
    expect(content.byteLength).toBe((video?.bytes ?? 0) >> 1);
  });

  test("a truncated file ends before its announced length", async () => {
    sandbox.addFaults([{ kind: "truncated", match: { route: "cdn" } }]);
    const response = await fetchVideo();
    expect(response.headers.get("content-length")).toBe(String(video?.bytes));
    await expect(response.arrayBuffer()).rejects.toThrow("terminated");
  });

  test("a slow drip delivers everything, piece by piece", async () => {
    sandbox.addFaults([{ kind: "slow-drip", match: { route: "cdn" }, intervalMs: 1 }]);
    const response = await fetchVideo();
    let pieces = 0;
    let bytes = 0;
    for await (const piece of response.body ?? []) {
      pieces += 1;
      bytes += piece.length;
    }
    expect(bytes).toBe(video?.bytes);
    expect(pieces).toBeGreaterThan(5);
  });

  test("a timeout holds the answer until the caller gives up, or the sandbox closes", async () => {
    const held = await createSandbox({ faults: [{ kind: "timeout" }] });
    const hangUp = new AbortController();
    const url = `${held.url}/t/${post.shortCode}`;
    const given = fetch(url, { signal: hangUp.signal }).catch((error: Error) => error.name);
    const kept = fetch(url).catch((error: Error) => error.message);
    while ((held.calls()["short-link"].faults.timeout ?? 0) < 2) await fetch(`${held.url}/_calls`);
    hangUp.abort();
    expect(await given).toBe("AbortError");
    await held.close();
    expect(await kept).toBe("fetch failed");
  });
});

describe("the Messages API, through Anthropic's own client", () => {
  const schema = {
    type: "object",
    additionalProperties: false,
    required: ["tldr"],
    properties: { tldr: { type: "string" } },
  };
  const question: Anthropic.MessageCreateParamsNonStreaming = {
    model: "claude-haiku-5-5",
    max_tokens: 600,
    system: "Summarize.",
    messages: [{ role: "user", content: `Title: ${post.title}\nTranscript: ${post.words}` }],
    output_config: { format: { type: "json_schema", schema } },
  };

  function create(changes: object = {}, options?: Anthropic.RequestOptions) {
    const client = new Anthropic({
      apiKey: "sandbox",
      baseURL: `${sandbox.url}/anthropic`,
      maxRetries: 0,
      logLevel: "off",
    });
    return client.messages.create({ ...question, ...changes }, options);
  }

  test("answers by the schema from the evidence, after a thinking block, and reports usage", async () => {
    const message = await create();
    expect(message.stop_reason).toBe("end_turn");
    expect(message.content.map(({ type }) => type)).toEqual(["thinking", "text"]);
    const text = message.content.find((block) => block.type === "text")?.text ?? "";
    const [, quote = ""] = /^The speaker says: “(.*?)(?: …|\.)”$/.exec(JSON.parse(text).tldr) ?? [];
    expect(quote.split(" ").length).toBeGreaterThan(3);
    expect(post.words).toContain(quote.toLowerCase());
    expect(message.usage.input_tokens).toBeGreaterThan(60);
    expect(message.usage.output_tokens).toBe(Math.ceil(text.length / 4) + 24);
    const quiet = await create({ thinking: { type: "disabled" } });
    expect(quiet.content.map(({ type }) => type)).toEqual(["text"]);
  });

  test("stops at max_tokens, with what it has", async () => {
    const message = await create({ max_tokens: 4, thinking: { type: "disabled" } });
    expect(message.stop_reason).toBe("max_tokens");
    expect(message.content).toEqual([expect.objectContaining({ text: '{"tldr":"The spe' })]);
    expect(message.usage.output_tokens).toBe(4);
  });

  test.each([
    [BadRequestError, { temperature: 0.5 }, "invalid_request_error", /temperature: Extra inputs/],
    [NotFoundError, { model: "gpt-4" }, "not_found_error", /model: gpt-4/],
  ])("refuses as the real one does: %o", async (type, changes, name, text) => {
    const error = await create(changes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({
      type: name,
      message: expect.stringMatching(text),
      requestID: expect.stringMatching(/^req_/),
      error: { type: "error", request_id: expect.stringMatching(/^req_/) },
    });
  });

  test.each<[Fault["kind"], new (...args: never[]) => Error, string]>([
    ["rate-limited", RateLimitError, "rate_limit_error"],
    ["overloaded", OverloadedError, "overloaded_error"],
    ["server-error", InternalServerError, "api_error"],
    ["bad-key", AuthenticationError, "authentication_error"],
    ["no-balance", PaymentRequiredError, "billing_error"],
  ])("%s becomes the client's own error", async (kind, type, name) => {
    sandbox.addFaults([{ kind, match: { postId: post.id } }]);
    const error = await create().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ type: name });
    expect(sandbox.calls().messages.faults).toEqual({ [kind]: 1 });
  });

  test("a timeout is the client's timeout", async () => {
    sandbox.addFaults([{ kind: "timeout" }]);
    await expect(create({}, { timeout: 50 })).rejects.toBeInstanceOf(APIConnectionTimeoutError);
  });

  test("invalid JSON comes as a message that claims to be complete, a refusal as a stop reason", async () => {
    sandbox.addFaults([
      { kind: "invalid-json", times: 1 },
      { kind: "refusal", times: 1 },
    ]);
    const broken = await create();
    const text = broken.content.find((block) => block.type === "text")?.text ?? "";
    expect(broken.stop_reason).toBe("end_turn");
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(await create()).toMatchObject({ stop_reason: "refusal", content: [] });
  });

  test("refuses what comes without a key, without a version, as broken JSON, or not by POST", async () => {
    const path = `${sandbox.url}/anthropic/v1/messages`;
    const key = { "x-api-key": "sandbox" };
    const version = { "anthropic-version": "2023-06-01" };
    const body = JSON.stringify(question);
    const send = async (init: RequestInit) => (await fetch(path, init)).status;
    const statuses = [
      await send({ method: "POST", headers: { ...key, ...version }, body }),
      await send({ method: "POST", headers: version, body }),
      await send({ method: "POST", headers: key, body }),
      await send({ method: "POST", headers: { ...key, ...version }, body: "{" }),
      await send({ headers: { ...key, ...version } }),
    ];
    expect(statuses).toEqual([200, 401, 400, 400, 405]);
  });
});
