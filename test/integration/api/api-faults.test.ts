import type { ApiDeps } from "@clipmill/api";
import { RetryableError } from "@clipmill/domain";
import { describe, expect, it } from "vitest";
import { postJob, startTestApi } from "../../support/posts/test-api.ts";

const ID = "7000000000000000001";
const SQL = 'insert into "request" ("link") values ($1) -- connect ECONNREFUSED 10.0.0.5:5432';

describe("a database that is down", () => {
  const failing = () => Promise.reject(new Error(SQL));
  const down: Partial<ApiDeps> = {
    work: { accept: failing, cancel: failing },
    requests: { findRequest: failing, waitForRequest: failing },
    posts: { find: failing, findVersion: failing },
    health: () => Promise.resolve({ database: false, queue: true }),
  };

  it.each(["/v1/jobs/job_01K00000000000000000000000", `/v1/posts/${ID}`])(
    "makes %s 503, without a word of SQL",
    async (url) => {
      const { app } = await startTestApi(down);
      const response = await app.inject(url);
      expect(response.statusCode).toBe(503);
      expect(response.headers["retry-after"]).toBe("5");
      expect(response.json()).toMatchObject({ code: "unavailable", retryable: true });
      expect(response.body).not.toMatch(/insert|ECONN|5432|\.ts/);
    },
  );

  it("accepts nothing", async () => {
    const response = await postJob(await startTestApi(down), { url: ID });
    expect(response.statusCode).toBe(503);
  });

  it("does not hang a probe, nor fail it with an error", async () => {
    const { app } = await startTestApi({ health: () => Promise.reject(new Error(SQL)) });
    const response = await app.inject("/readyz?verbose");
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ checks: { database: false, queue: false } });
  });

  it("is not blamed for another error, whose text stays in the log", async () => {
    const find = () => Promise.reject(new Error(SQL));
    const { app, logged } = await startTestApi({ posts: { find, findVersion: find } });
    const response = await app.inject(`/v1/posts/${ID}`);
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ code: "internal", retryable: true });
    expect(response.body).not.toContain("insert");
    expect(JSON.stringify(logged)).toContain("insert");
  });

  it("honours the wait that a retryable error names", async () => {
    const slow = new RetryableError("unavailable", "starting up", { retryAfterMs: 30_000 });
    const find = () => Promise.reject(slow);
    const { app } = await startTestApi({ posts: { find, findVersion: find } });
    const response = await app.inject(`/v1/posts/${ID}`);
    expect(response.headers["retry-after"]).toBe("30");
    expect(response.json()).toMatchObject({ detail: "starting up" });
  });
});

describe("health", () => {
  it("is live without asking anything", async () => {
    const { app } = await startTestApi({ health: () => Promise.reject(new Error("asked")) });
    expect((await app.inject("/livez")).statusCode).toBe(200);
  });

  it("is ready while only the queue is down", async () => {
    const problems = ["REDIS_URL: gone"];
    const health = () => Promise.resolve({ database: true, queue: false, problems });
    const { app } = await startTestApi({ health });
    expect((await app.inject("/readyz")).json()).toEqual({ status: "ok" });
    expect((await app.inject("/readyz?verbose")).json()).toEqual({
      status: "ok",
      version: "0.0.0-test",
      checks: { database: true, queue: false },
      problems,
      waiting: [],
    });
  });

  it("tells what work waits for, when asked for details", async () => {
    const group = {
      queue: "gpu",
      reason: "no_worker",
      message: "no running worker drains the queue gpu",
      advice: "Start one.",
      needsPerson: true,
      count: 3,
      since: null,
    } as const;
    const { app } = await startTestApi({ waiting: { findGroups: async () => [group] } });
    expect((await app.inject("/readyz?verbose")).json()).toMatchObject({
      waiting: [
        {
          queue: "gpu",
          reason: "no_worker",
          detail: "no running worker drains the queue gpu",
          what_to_do: "Start one.",
          jobs: 3,
          since: null,
        },
      ],
    });
  });
});

describe("every response", () => {
  it("has a request id: the client's if it is well-formed, else ours", async () => {
    const { app } = await startTestApi();
    const idFor = async (given: string) =>
      (await app.inject({ url: "/livez", headers: { "request-id": given } })).headers["request-id"];
    expect(await idFor("client-id_0001")).toBe("client-id_0001");
    expect(await idFor("short")).toMatch(/^req_/);
    expect(await idFor('x" onload="alert(1)')).toMatch(/^req_/);
  });

  it.each(["/nope", "/v1/nope", "/%zz", "/queues"])(
    "is a problem document at the unknown path %s",
    async (url) => {
      const { app } = await startTestApi();
      const response = await app.inject({ url: `${url}?token=secret`, headers: { accept: "*/*" } });
      expect([400, 404]).toContain(response.statusCode);
      expect(response.headers["content-type"]).toContain("application/problem+json");
      expect(response.json()).toMatchObject({
        instance: url,
        request_id: response.headers["request-id"],
      });
    },
  );

  it("forbids scripts, frames and sniffing, and opens no door to other origins", async () => {
    const { app } = await startTestApi();
    for (const url of ["/", "/v1/posts/12", "/nowhere"]) {
      const { headers } = await app.inject({ url, headers: { origin: "https://evil.example" } });
      expect(headers["content-security-policy"]).toContain("default-src 'none'");
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
      expect(headers["content-security-policy"]).not.toContain("script-src");
      expect(headers).toMatchObject({
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "origin-agent-cluster": "?1",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-dns-prefetch-control": "off",
        "x-download-options": "noopen",
        "x-frame-options": "SAMEORIGIN",
        "x-permitted-cross-domain-policies": "none",
        "x-xss-protection": "0",
      });
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  it("is logged in one line without its query, and probes in none", async () => {
    const { app, logged } = await startTestApi();
    await app.inject("/livez");
    await app.inject("/readyz");
    await app.inject("/v1/posts/12?signature=topsecret");
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({ method: "GET", path: "/v1/posts/12", status: 400 });
    expect(JSON.stringify(logged)).not.toContain("topsecret");
  });
});

describe("the log line of a request", () => {
  it("has the id of the job that it made, or would have made again", async () => {
    const api = await startTestApi();
    const headers = { "idempotency-key": "once" };
    const { id } = (await postJob(api, { url: "7000000000000000001" }, headers)).json<{
      id: string;
    }>();
    await postJob(api, { url: "7000000000000000001" }, headers);
    await postJob(api, { url: "7000000000000000001", lane: "interactive" }, headers);
    await postJob(api, { url: "x" });
    const lines = api.logged.filter(({ msg }) => msg === "request");
    expect(lines.map(({ status, job_id: jobId }) => [status, jobId])).toEqual([
      [202, id],
      [202, id],
      [422, id],
      [422, undefined],
    ]);
  });
});
