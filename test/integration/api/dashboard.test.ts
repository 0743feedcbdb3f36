import { describe, expect, it } from "vitest";
import {
  COUNTS,
  createStubQueue,
  logIn,
  startTestDashboard,
} from "../../support/servers/test-dashboard.ts";

const PAGE = { accept: "text/html" };

describe("without a session", () => {
  it("every route below the prefix but the login form is closed", async () => {
    const { app, routes } = await startTestDashboard();
    const open: string[] = [];
    for (const { method, url } of routes) {
      const path = url.replace(/:\w+|\*/g, "x");
      const { statusCode } = await app.inject({ method: method as "GET", url: path });
      if (statusCode !== 401) open.push(`${method} ${url} ${statusCode}`);
    }
    // The board alone brings dozens; a list that is nearly empty would prove nothing.
    expect(routes.length).toBeGreaterThan(40);
    expect(open.sort()).toEqual(["GET /queues/login 200", "HEAD /queues/login 200"]);
  });

  it.each(["/queues", "/queues/", "/queues/board", "/queues/board/queue/io"])(
    "a browser at %s is sent to the login form",
    async (url) => {
      const { app } = await startTestDashboard();
      const response = await app.inject({ url, headers: PAGE });
      expect(response.statusCode).toBe(303);
      expect(response.headers["location"]).toBe("/queues/login");
    },
  );

  it.each([
    ["an invented one", "clipmill_session=9999999999999"],
    ["a signature of something else", "clipmill_session=9999999999999.AAAAAAAAAAAAAAAAAAAAAAAAAAA"],
    ["an empty one", "clipmill_session="],
  ])("a cookie does not help: %s", async (_what, cookie) => {
    const { app } = await startTestDashboard();
    expect((await app.inject({ url: "/queues", headers: { cookie } })).statusCode).toBe(401);
  });

  it("a cookie from before the password changed does not help", async () => {
    const cookie = await logIn((await startTestDashboard()).app);
    const { app } = await startTestDashboard({ password: "the new password" });
    expect(cookie).toMatch(/^clipmill_session=\d+/);
    expect((await app.inject({ url: "/queues", headers: { cookie } })).statusCode).toBe(401);
  });
});

describe("with a session", () => {
  it("the page shows the rows in Postgres beside the board", async () => {
    const { app } = await startTestDashboard();
    const { body, headers } = await app.inject({
      url: "/queues",
      headers: { cookie: await logIn(app) },
    });
    expect(body).toMatch(/data-queue="io"[\s\S]*data-count="ready">12<[\s\S]*data-count="dead">4</);
    expect(body).toContain('<iframe class="board" src="/queues/board"');
    expect(body).not.toMatch(/<script>|style="/);
    expect(headers["content-security-policy"]).toContain("script-src 'self';");
  });

  it("the page says what keeps work from going on, and what to do", async () => {
    const group = {
      queue: "gpu",
      reason: "no_worker",
      message: "no running worker drains the queue gpu",
      advice: "Start one.",
      needsPerson: true,
      count: 1_200,
      since: "2026-11-28T12:00:00.000Z",
    } as const;
    const { app } = await startTestDashboard({ waiting: () => Promise.resolve([group]) });
    const { body } = await app.inject({ url: "/queues", headers: { cookie: await logIn(app) } });
    for (const part of [group.message, group.advice, "1,200 work items wait", "12:00:00 UTC"])
      expect(body.replace(/\s+/g, " ")).toContain(part);
  });

  it("the counts come as JSON for the refresh", async () => {
    const { app } = await startTestDashboard();
    const response = await app.inject({
      url: "/queues/counts.json",
      headers: { cookie: await logIn(app) },
    });
    expect(response.json()).toEqual(COUNTS);
    expect(response.headers["cache-control"]).toBe("no-store");
  });

  it("the board answers, in a frame of ours and without other hosts", async () => {
    const { app } = await startTestDashboard();
    const headers = { cookie: await logIn(app) };
    const response = await app.inject({ url: "/queues/board", headers });
    expect(response.statusCode).toBe(200);
    expect(response.body).toContain('<base href="/queues/board/"');
    const csp = response.headers["content-security-policy"];
    expect(csp).toContain("frame-ancestors 'self'");
    expect(csp).not.toContain("http");
    const script = /src="(static\/js\/main[^"]+)"/.exec(response.body)?.[1];
    const asset = await app.inject({ url: `/queues/board/${script}`, headers });
    expect(asset.statusCode).toBe(200);
  });

  it.each([
    [true, 405, 0],
    [false, 200, 1],
  ])("read-only %s: a command to pause answers %d", async (readOnly, status, calls) => {
    const { queue, pause } = createStubQueue("io");
    const { app } = await startTestDashboard({ readOnly, queues: [queue] });
    const headers = { cookie: await logIn(app) };
    const response = await app.inject({
      method: "PUT",
      url: "/queues/board/api/queues/pause",
      headers,
    });
    expect(response.statusCode).toBe(status);
    expect(pause).toHaveBeenCalledTimes(calls);
  });

  it("a command from another site does nothing", async () => {
    const { queue, pause } = createStubQueue("io");
    const { app } = await startTestDashboard({ readOnly: false, queues: [queue] });
    const headers = { cookie: await logIn(app), "sec-fetch-site": "same-site" };
    const response = await app.inject({
      method: "PUT",
      url: "/queues/board/api/queues/pause",
      headers,
    });
    expect(response.statusCode).toBe(403);
    expect(pause).not.toHaveBeenCalled();
  });
});
