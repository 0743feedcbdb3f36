import { describe, expect, it } from "vitest";
import { EXAMPLE_RESULT } from "../../support/posts/example-result.ts";
import { postJob, startTestApi } from "../../support/posts/test-api.ts";

const ID = "7000000000000000001";
const PAGE = { accept: "text/html,application/xhtml+xml" };
const HOSTILE = `<img src=x onerror="alert(1)">`;

describe("pages", () => {
  const hostile = {
    ...EXAMPLE_RESULT,
    attribution: HOSTILE,
    author: HOSTILE,
    author_url: "javascript:alert(1)",
    language: HOSTILE,
    transcript: HOSTILE,
    segments: [{ start: 1, end: 2, text: HOSTILE }],
    ocr: [HOSTILE],
    summary: { tldr: HOSTILE, takeaways: [HOSTILE], sentiment: "neutral" as const, cta: HOSTILE },
    simulated: [HOSTILE],
    warnings: [{ stage: HOSTILE, code: HOSTILE, message: HOSTILE }],
    cost: { usd: 1, by_stage: { [HOSTILE]: 1 } },
    timings_ms: { [HOSTILE]: 1 },
    url: "javascript:alert(2)",
  };

  it("show a result with its attribution, times, cost and what is simulated", async () => {
    const api = await startTestApi();
    api.fake.stored.set(ID, EXAMPLE_RESULT);
    const { id } = (await postJob(api, { url: ID })).json();
    const { body } = await api.app.inject(`/jobs/${id}`);
    expect(body).toContain(EXAMPLE_RESULT.attribution);
    expect(body).toMatch(/<time>0:08<\/time>\s*<span dir="auto">Pour slowly\.<\/span>/);
    expect(body).toContain("BETTER COFFEE");
    expect(body).toContain("$0.0021");
    expect(body).toMatch(/class="ribbon"[\s\S]*download, summarize/);
    expect(body).not.toContain('http-equiv="refresh"');
  });

  it("escape whatever a post, a model or a caller wrote", async () => {
    const recent = () =>
      Promise.resolve([
        { id: "job_x", status: "done" as const, postId: HOSTILE, title: HOSTILE, simulated: true },
      ]);
    const api = await startTestApi({ recent });
    const { id } = (await postJob(api, { url: ID })).json();
    api.fake.finish(id, { state: "done", result: hostile });
    const pages = [`/jobs/${id}`, "/"].map((url) =>
      api.app.inject({ url, headers: { ...PAGE, host: HOSTILE } }),
    );
    for (const { body } of await Promise.all(pages)) {
      expect(body).toContain("&lt;img src=x");
      expect(body).not.toContain("<img");
      expect(body).not.toContain("javascript:");
      expect(body).not.toContain(`onerror="`);
    }
  });

  it("keep what is no host out of the shell command", async () => {
    const { app } = await startTestApi();
    const headers = { host: "x;$(id)" };
    expect((await app.inject({ url: "/", headers })).body).toContain(
      "curl -s http://127.0.0.1:4600/",
    );
  });

  it("of a job in progress reload themselves", async () => {
    const api = await startTestApi();
    const { id } = (await postJob(api, { url: ID })).json();
    expect((await api.app.inject(`/jobs/${id}`)).body).toContain('http-equiv="refresh"');
  });

  it("are also what a browser gets for an error, but not for one of the API", async () => {
    const { app } = await startTestApi();
    const page = await app.inject({ url: "/jobs/job_x", headers: PAGE });
    expect(page.statusCode).toBe(404);
    expect(page.headers["content-type"]).toContain("text/html");
    const problem = await app.inject({ url: "/v1/jobs/job_x", headers: PAGE });
    expect(problem.headers["content-type"]).toContain("application/problem+json");
  });

  it("explain every error code", async () => {
    const { app } = await startTestApi();
    expect((await app.inject("/errors")).body).toContain('id="idempotency_conflict"');
  });

  it("of the reference load nothing from elsewhere", async () => {
    const { app } = await startTestApi();
    const { body, headers } = await app.inject("/docs/");
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(body).toMatch(/"telemetry": false/);
    expect(headers["content-security-policy"]).toContain("connect-src 'self'");
    expect(headers["content-security-policy"]).not.toContain("http");
    expect((await app.inject("/docs/js/scalar.js")).statusCode).toBe(200);
  });
});
