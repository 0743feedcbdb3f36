import { type BoardQueue, createDashboard, type DashboardOptions } from "@clipmill/dashboard";
import { createLogger } from "@clipmill/config";
import { fastify, type FastifyInstance } from "fastify";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";

const PASSWORD = "correct horse battery";
const PAGE = { accept: "text/html" };
const COUNTS = [
  { queue: "io", ready: 12, queued: 3, running: 2, waiting: 5, retrying: 1, dead: 4 },
  { queue: "gpu", ready: 0, queued: 0, running: 0, waiting: 0, retrying: 0, dead: 0 },
] as const;

/** As much of a BullMQ queue as the board asks for when it is told to pause all. */
function createStubQueue(name: string) {
  const pause = vi.fn(() => Promise.resolve());
  const isPaused = () => Promise.resolve(false);
  const queue = { name, metaValues: { version: "bullmq:6.7.0" }, pause, isPaused };
  return { pause, queue: queue as unknown as BoardQueue };
}

async function start(overrides: Partial<DashboardOptions> = {}, trustProxy = false) {
  const app = fastify({ trustProxy });
  const routes: { method: string; url: string }[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    for (const one of [method].flat()) routes.push({ method: one, url });
  });
  const dashboard = createDashboard({
    queues: [createStubQueue("io").queue],
    countsByQueue: () => Promise.resolve(COUNTS),
    waiting: () => Promise.resolve([]),
    password: PASSWORD,
    readOnly: true,
    log: createLogger({ LOG_LEVEL: "silent" }, "dashboard"),
    ...overrides,
  });
  await app.register(dashboard, { prefix: "/queues" });
  await app.ready();
  onTestFinished(() => app.close());
  return { app, routes };
}

function submitPassword(app: FastifyInstance, password: string, headers = {}) {
  return app.inject({
    method: "POST",
    url: "/queues/login",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    payload: new URLSearchParams({ password }).toString(),
  });
}

async function logIn(app: FastifyInstance): Promise<string> {
  const { headers } = await submitPassword(app, PASSWORD);
  return String(headers["set-cookie"]).split(";")[0] ?? "";
}

afterEach(() => {
  vi.useRealTimers();
});

describe("without a session", () => {
  it("every route below the prefix but the login form is closed", async () => {
    const { app, routes } = await start();
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
      const { app } = await start();
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
    const { app } = await start();
    expect((await app.inject({ url: "/queues", headers: { cookie } })).statusCode).toBe(401);
  });

  it("a cookie from before the password changed does not help", async () => {
    const cookie = await logIn((await start()).app);
    const { app } = await start({ password: "the new password" });
    expect(cookie).toMatch(/^clipmill_session=\d+/);
    expect((await app.inject({ url: "/queues", headers: { cookie } })).statusCode).toBe(401);
  });
});

describe("logging in", () => {
  it("sets a cookie that scripts and other sites cannot use, and opens the page", async () => {
    const { app } = await start();
    const response = await submitPassword(app, PASSWORD);
    expect(response.statusCode).toBe(303);
    expect(response.headers["location"]).toBe("/queues");
    const cookie = String(response.headers["set-cookie"]);
    for (const part of ["HttpOnly", "SameSite=Strict", "Path=/queues", "Max-Age=43200"]) {
      expect(cookie).toContain(part);
    }
    const headers = { cookie: cookie.split(";")[0] ?? "" };
    expect((await app.inject({ url: "/queues", headers })).statusCode).toBe(200);
  });

  it.each(["", "correct horse", `${PASSWORD} `, "x".repeat(3_000)])(
    "refuses a wrong password (%#)",
    async (password) => {
      const { app } = await start();
      const response = await submitPassword(app, password);
      expect(response.statusCode).toBe(401);
      expect(response.headers["set-cookie"]).toBeUndefined();
    },
  );

  it("refuses even the right password after ten attempts in a minute", async () => {
    const { app } = await start();
    for (let attempt = 0; attempt < 10; attempt++) await submitPassword(app, "wrong");
    const response = await submitPassword(app, PASSWORD);
    expect(response.statusCode).toBe(429);
    expect(Number(response.headers["retry-after"])).toBeGreaterThan(0);
    expect(response.headers["set-cookie"]).toBeUndefined();
  });

  it("lets a browser in that was in before, whatever strangers at its address try", async () => {
    const { app } = await start();
    const first = await submitPassword(app, PASSWORD);
    const [, device = ""] = [first.headers["set-cookie"]].flat();
    expect(device).toMatch(/^clipmill_device=device-.*HttpOnly; .*SameSite=Strict/);
    for (let attempt = 0; attempt < 20; attempt++) await submitPassword(app, "wrong");
    expect((await submitPassword(app, PASSWORD)).statusCode).toBe(429);
    const known = { cookie: device?.split(";")[0] ?? "" };
    expect((await submitPassword(app, PASSWORD, known)).statusCode).toBe(303);
    // That it is known buys no more guesses than anybody has.
    for (let attempt = 0; attempt < 10; attempt++) await submitPassword(app, "wrong", known);
    expect((await submitPassword(app, PASSWORD, known)).statusCode).toBe(429);
  });

  it("takes no invented browser for a known one, and no other signature", async () => {
    const { app } = await start();
    const session = await logIn(app);
    for (let attempt = 0; attempt < 10; attempt++) await submitPassword(app, "wrong");
    for (const value of ["device-11111111-1111-1111-1111-111111111111", session.split("=")[1]]) {
      const cookie = `clipmill_device=${value}`;
      expect((await submitPassword(app, PASSWORD, { cookie })).statusCode).toBe(429);
    }
  });

  it("tells callers apart where the proxy before us is trusted, and nowhere else", async () => {
    const from = (n: number) => ({ "x-forwarded-for": `198.51.100.${n}` });
    for (const [trustProxy, status] of [
      [true, 303],
      [false, 429],
    ] as const) {
      const { app } = await start({}, trustProxy);
      for (let attempt = 0; attempt < 10; attempt++) await submitPassword(app, "wrong", from(1));
      expect((await submitPassword(app, PASSWORD, from(1))).statusCode).toBe(429);
      expect((await submitPassword(app, PASSWORD, from(2))).statusCode).toBe(status);
    }
  });

  it("sets Secure behind TLS where the proxy is trusted, and not on its word alone", async () => {
    const tls = { "x-forwarded-proto": "https" };
    for (const trustProxy of [true, false]) {
      const { app } = await start({}, trustProxy);
      const cookies = [(await submitPassword(app, PASSWORD, tls)).headers["set-cookie"]].flat();
      expect(cookies).toHaveLength(2);
      for (const cookie of cookies) expect(/; Secure/.test(String(cookie))).toBe(trustProxy);
    }
  });

  it("refuses the form of a page whose name was pointed at us", async () => {
    const { app } = await start({ publicHosts: ["clipmill.example"] });
    const headers = { host: "evil.example", origin: "http://evil.example" };
    const answer = await submitPassword(app, PASSWORD, headers);
    expect({ status: answer.statusCode, text: answer.body }).toEqual({
      status: 403,
      text: expect.stringMatching(/PUBLIC_HOSTS/),
    });
  });

  it.each([
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "http://localhost:81" },
  ])("refuses a form of another site: %o", async (headers) => {
    const { app } = await start();
    expect((await submitPassword(app, PASSWORD, headers)).statusCode).toBe(403);
  });

  it("accepts the form of its own origin", async () => {
    const { app } = await start({ publicHosts: ["clipmill.example"] });
    const headers = { host: "clipmill.example:4600", origin: "http://clipmill.example:4600" };
    expect((await submitPassword(app, PASSWORD, headers)).statusCode).toBe(303);
  });

  it("lasts twelve hours", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { app } = await start();
    const headers = { cookie: await logIn(app) };
    vi.setSystemTime(Date.now() + 12 * 3_600_000 - 1_000);
    expect((await app.inject({ url: "/queues", headers })).statusCode).toBe(200);
    vi.setSystemTime(Date.now() + 2_000);
    expect((await app.inject({ url: "/queues", headers })).statusCode).toBe(401);
  });

  it("is undone by logging out", async () => {
    const { app } = await start();
    const headers = { cookie: await logIn(app) };
    const response = await app.inject({ method: "POST", url: "/queues/logout", headers });
    expect(response.headers["location"]).toBe("/queues/login");
    expect(String(response.headers["set-cookie"])).toMatch(/^clipmill_session=;.*Path=\/queues/);
  });
});

describe("with a session", () => {
  it("the page shows the rows in Postgres beside the board", async () => {
    const { app } = await start();
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
    const { app } = await start({ waiting: () => Promise.resolve([group]) });
    const { body } = await app.inject({ url: "/queues", headers: { cookie: await logIn(app) } });
    for (const part of [group.message, group.advice, "1,200 work items wait", "12:00:00 UTC"])
      expect(body.replace(/\s+/g, " ")).toContain(part);
  });

  it("the counts come as JSON for the refresh", async () => {
    const { app } = await start();
    const response = await app.inject({
      url: "/queues/counts.json",
      headers: { cookie: await logIn(app) },
    });
    expect(response.json()).toEqual(COUNTS);
    expect(response.headers["cache-control"]).toBe("no-store");
  });

  it("the board answers, in a frame of ours and without other hosts", async () => {
    const { app } = await start();
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
    const { app } = await start({ readOnly, queues: [queue] });
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
    const { app } = await start({ readOnly: false, queues: [queue] });
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
