import { once } from "node:events";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import type { RequestView } from "@clipmill/domain";
import { describe, expect, it } from "vitest";
import { EXAMPLE_RESULT } from "../../support/posts/example-result.ts";
import { createFakeRequests } from "../../support/fakes/fake-requests.ts";
import { postJob, startTestApi, type TestApi } from "../../support/posts/test-api.ts";

const ID = "7000000000000000001";

describe("POST /v1/jobs", () => {
  it("stores the request with its defaults and says where to ask", async () => {
    const api = await startTestApi();
    const response = await postJob(api, { url: `https://www.tiktok.com/@a/video/${ID}?x=1` });
    const job = response.json();
    expect(response.statusCode).toBe(202);
    expect(response.headers).toMatchObject({ location: `/v1/jobs/${job.id}`, "retry-after": "2" });
    expect(job).toMatchObject({ status: "queued", aweme_id: ID, result: null, error: null });
    expect(job.links.self).toBe(response.headers["location"]);
    expect(api.fake.submissions).toEqual([
      {
        tenant: "local",
        link: `https://www.tiktok.com/@a/video/${ID}`,
        postId: ID,
        outputs: ["transcript", "summary"],
        recipes: { source: ["tiklive"], asr: [], ocr: [], llm: ["extractive"] },
        lane: "standard",
        deadline: null,
        idempotencyKey: null,
        language: null,
        fresh: false,
      },
    ]);
  });

  it.each([
    ["a bare id", ID, ID],
    ["share text", `Look at this! https://www.tiktok.com/@a/video/${ID} #fyp`, ID],
    ["a short link", "https://vm.tiktok.com/ZMabcdef1/", null],
  ])("takes %s", async (_what, url, postId) => {
    const api = await startTestApi();
    expect((await postJob(api, { url })).statusCode).toBe(202);
    expect(api.fake.submissions[0]).toMatchObject({ postId });
  });

  it("passes on what the caller chose", async () => {
    const api = await startTestApi();
    const deadline = new Date(Date.now() + 60_000).toISOString();
    const choice = { lane: "backfill", language: "pt-BR", fresh: true, deadline };
    await postJob(api, { url: ID, outputs: ["transcript", "transcript"], ...choice });
    expect(api.fake.submissions[0]).toMatchObject({ outputs: ["transcript"], ...choice });
  });

  it.each([
    ["2999-01-01T00:00:00+23:00", "2998-12-31T01:00:00.000Z"],
    ["2999-01-01T00:00:00.5Z", "2999-01-01T00:00:00.500Z"],
  ])("takes the deadline %s as the moment that it is", async (deadline, moment) => {
    const api = await startTestApi();
    expect((await postJob(api, { url: ID, deadline })).statusCode).toBe(202);
    expect(api.fake.submissions[0]).toMatchObject({ deadline: moment });
  });

  it.each([
    ["no url", {}, "#/url"],
    ["a url that is no text", { url: 7 }, "#/url"],
    ["an unknown key", { url: ID, urls: [] }, "#"],
    ["an unknown lane", { url: ID, lane: "quarantine" }, "#/lane"],
    ["an unknown output", { url: ID, outputs: ["video"] }, "#/outputs/0"],
    ["no outputs", { url: ID, outputs: [] }, "#/outputs"],
    ["a freshness that is neither true nor false", { url: ID, fresh: "yes" }, "#/fresh"],
    ["a deadline without a zone", { url: ID, deadline: "2030-01-01T00:00:00" }, "#/deadline"],
    ["a deadline in the year 0", { url: ID, deadline: "0000-01-01T00:00:00Z" }, "#/deadline"],
    ["a deadline on no day", { url: ID, deadline: "2030-02-30T00:00:00Z" }, "#/deadline"],
  ])("answers 400 with a pointer for %s", async (_what, payload, pointer) => {
    const api = await startTestApi();
    const response = await postJob(api, payload);
    expect(response.statusCode).toBe(400);
    expect(response.headers["content-type"]).toContain("application/problem+json");
    expect(response.json()).toMatchObject({ code: "invalid_request", retryable: false });
    expect(response.json().errors.map((error: { pointer: string }) => error.pointer)).toContain(
      pointer,
    );
    expect(api.fake.submissions).toEqual([]);
  });

  it.each([
    ["another host", { url: "https://example.com/@a/video/7000000000000000001" }, "invalid_link"],
    ["a profile", { url: "https://www.tiktok.com/@creator" }, "not_a_post"],
    ["a past deadline", { url: ID, deadline: "2020-01-01T00:00:00Z" }, "deadline_missed"],
  ])("answers 422 for %s", async (_what, payload, code) => {
    const api = await startTestApi();
    const response = await postJob(api, payload);
    expect(response.statusCode).toBe(422);
    expect(response.json()).toMatchObject({ code, type: `/errors#${code}`, status: 422 });
    expect(api.fake.submissions).toEqual([]);
  });

  it.each([
    ["broken JSON", "application/json", "{", 400],
    ["plain text", "text/plain", ID, 415],
    ["a body over 64 kB", "application/json", JSON.stringify({ url: "x".repeat(66_000) }), 413],
  ])("refuses %s", async (_what, type, payload, status) => {
    const { app } = await startTestApi();
    const headers = { "content-type": type };
    const response = await app.inject({ method: "POST", url: "/v1/jobs", headers, payload });
    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({ code: "invalid_request", status });
  });
});

describe("Prefer: wait", () => {
  it("answers 200 with the result when the job ends in time", async () => {
    const api = await startTestApi();
    const [response] = await Promise.all([
      postJob(api, { url: ID }, { prefer: "wait=30" }),
      api.fake
        .waiting()
        .then((id) => api.fake.finish(id, { state: "done", result: EXAMPLE_RESULT })),
    ]);
    expect(response.statusCode).toBe(200);
    expect(response.headers["preference-applied"]).toBe("wait=30");
    expect(response.json()).toMatchObject({ status: "done", cost: EXAMPLE_RESULT.cost });
    expect(response.json().result).toEqual(EXAMPLE_RESULT);
  });

  it("answers 202 when it does not", async () => {
    const waits: number[] = [];
    const fake = createFakeRequests();
    const api = await startTestApi({
      work: fake,
      requests: {
        findRequest: (id) => fake.findRequest(id),
        waitForRequest: (id, { timeoutMs }) => {
          waits.push(timeoutMs);
          return fake.findRequest(id);
        },
      },
    });
    const response = await postJob(api, { url: ID }, { prefer: "respond-async, wait=3600" });
    expect(response.statusCode).toBe(202);
    expect(response.headers["preference-applied"]).toBe("wait=60");
    expect(waits).toEqual([60_000]);
  });

  it.each([undefined, "respond-async", "wait=30"])(
    "does not matter to a request that is complete on arrival (%s)",
    async (prefer) => {
      const api = await startTestApi();
      api.fake.stored.set(ID, EXAMPLE_RESULT);
      const response = await postJob(api, { url: ID }, prefer === undefined ? {} : { prefer });
      expect(response.statusCode).toBe(200);
      expect(response.json().result).toEqual(EXAMPLE_RESULT);
    },
  );

  it("ends at shutdown with 202: the job goes on without its caller", async () => {
    const api = await startTestApi();
    const [response] = await Promise.all([
      postJob(api, { url: ID }, { prefer: "wait=60" }),
      api.fake.waiting().then(() => api.app.close()),
    ]);
    expect(response.statusCode).toBe(202);
  });

  it("stops when the caller hangs up", async () => {
    const fake = createFakeRequests();
    const signals: AbortSignal[] = [];
    const api = await startTestApi({
      work: fake,
      requests: {
        findRequest: (id) => fake.findRequest(id),
        waitForRequest: (id, options) => {
          signals.push(options.signal as AbortSignal);
          return fake.waitForRequest(id, options);
        },
      },
    });
    await api.app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = api.app.server.address() as AddressInfo;
    const headers = { "content-type": "application/json", prefer: "wait=60" };
    const call = httpRequest({
      host: "127.0.0.1",
      port,
      method: "POST",
      path: "/v1/jobs",
      headers,
    });
    call.on("error", () => {});
    call.end(JSON.stringify({ url: ID }));
    await fake.waiting();
    expect(signals[0]?.aborted).toBe(false);
    const aborted = once(signals[0] as AbortSignal, "abort", {
      signal: AbortSignal.timeout(5_000),
    });
    call.destroy();
    await aborted;
    expect(signals[0]?.aborted).toBe(true);
  });
});

describe("Idempotency-Key", () => {
  it("gives the same job for the same key, quoted or bare, and says so", async () => {
    const api = await startTestApi();
    const first = await postJob(api, { url: ID }, { "idempotency-key": '"k-1"' });
    const second = await postJob(api, { url: ID }, { "idempotency-key": "k-1" });
    expect(first.headers["idempotent-replayed"]).toBeUndefined();
    expect(second.headers["idempotent-replayed"]).toBe("true");
    expect(second.json().id).toBe(first.json().id);
    expect(api.fake.submissions).toHaveLength(1);
  });

  it("refuses the same key with another body", async () => {
    const api = await startTestApi();
    await postJob(api, { url: ID }, { "idempotency-key": "k-1" });
    const headers = { "idempotency-key": "k-1" };
    const response = await postJob(api, { url: ID, lane: "backfill" }, headers);
    expect(response.statusCode).toBe(422);
    expect(response.json()).toMatchObject({ code: "idempotency_conflict" });
  });

  it("refuses a key over 255 characters", async () => {
    const api = await startTestApi();
    const response = await postJob(api, { url: ID }, { "idempotency-key": "k".repeat(256) });
    expect(response.statusCode).toBe(400);
  });
});

describe("GET /v1/jobs/:id", () => {
  async function finished(api: TestApi, end: Partial<RequestView>): Promise<string> {
    const { id } = (await postJob(api, { url: ID })).json();
    api.fake.finish(id, end);
    return id as string;
  }

  it.each(["failed", "skipped"] as const)(
    "is 200 for a job that %s, with the reason",
    async (state) => {
      const api = await startTestApi();
      const failure = {
        code: "gone",
        message: "deleted",
        stage: "download",
        retryable: false,
      } as const;
      const cost = { usd: 0.002, by_stage: { transcribe: 0.002 } };
      const id = await finished(api, { state, failure, cost });
      const response = await api.app.inject(`/v1/jobs/${id}`);
      expect(response.statusCode).toBe(200);
      expect(response.json()).toMatchObject({
        status: state,
        result: null,
        cost,
        error: {
          code: "gone",
          title: "The post is deleted or never existed.",
          detail: "deleted",
          stage: "download",
          retryable: false,
        },
      });
    },
  );

  it("has no aweme_id for a local file", async () => {
    const api = await startTestApi();
    const id = await finished(api, { state: "done", postId: `file-${"a".repeat(64)}` });
    expect((await api.app.inject(`/v1/jobs/${id}`)).json().aweme_id).toBeNull();
  });

  it.each(["job_01K00000000000000000000000", "job_x", "1%27%20or%201=1"])(
    "is 404 for %s",
    async (id) => {
      const { app } = await startTestApi();
      const response = await app.inject(`/v1/jobs/${id}`);
      expect(response.statusCode).toBe(404);
      expect(response.json()).toMatchObject({ code: "not_found" });
    },
  );
});

describe("POST /v1/jobs/:id/cancel", () => {
  it("stops an open job, and leaves one that has ended as it is", async () => {
    const api = await startTestApi();
    const { app } = api;
    const { id } = (await postJob(api, { url: "7000000000000000001" })).json<{ id: string }>();
    const cancelled = await app.inject({ method: "POST", url: `/v1/jobs/${id}/cancel` });
    expect(cancelled.statusCode).toBe(200);
    expect(cancelled.json()).toMatchObject({ id, status: "cancelled" });
    const again = await app.inject({ method: "POST", url: `/v1/jobs/${id}/cancel` });
    expect(again.json()).toMatchObject({ id, status: "cancelled" });
    const unknown = "/v1/jobs/job_01K00000000000000000000000/cancel";
    expect((await app.inject({ method: "POST", url: unknown })).statusCode).toBe(404);
  });
});
