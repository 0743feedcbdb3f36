import { afterEach, describe, expect, it, vi } from "vitest";
import {
  logIn,
  PASSWORD,
  startTestDashboard,
  submitPassword,
} from "../../support/servers/test-dashboard.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("logging in", () => {
  it("sets a cookie that scripts and other sites cannot use, and opens the page", async () => {
    const { app } = await startTestDashboard();
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
      const { app } = await startTestDashboard();
      const response = await submitPassword(app, password);
      expect(response.statusCode).toBe(401);
      expect(response.headers["set-cookie"]).toBeUndefined();
    },
  );

  it("refuses even the right password after ten attempts in a minute", async () => {
    const { app } = await startTestDashboard();
    for (let attempt = 0; attempt < 10; attempt++) await submitPassword(app, "wrong");
    const response = await submitPassword(app, PASSWORD);
    expect(response.statusCode).toBe(429);
    expect(Number(response.headers["retry-after"])).toBeGreaterThan(0);
    expect(response.headers["set-cookie"]).toBeUndefined();
  });

  it("lets a browser in that was in before, whatever strangers at its address try", async () => {
    const { app } = await startTestDashboard();
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
    const { app } = await startTestDashboard();
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
      const { app } = await startTestDashboard({}, trustProxy);
      for (let attempt = 0; attempt < 10; attempt++) await submitPassword(app, "wrong", from(1));
      expect((await submitPassword(app, PASSWORD, from(1))).statusCode).toBe(429);
      expect((await submitPassword(app, PASSWORD, from(2))).statusCode).toBe(status);
    }
  });

  it("sets Secure behind TLS where the proxy is trusted, and not on its word alone", async () => {
    const tls = { "x-forwarded-proto": "https" };
    for (const trustProxy of [true, false]) {
      const { app } = await startTestDashboard({}, trustProxy);
      const cookies = [(await submitPassword(app, PASSWORD, tls)).headers["set-cookie"]].flat();
      expect(cookies).toHaveLength(2);
      for (const cookie of cookies) expect(/; Secure/.test(String(cookie))).toBe(trustProxy);
    }
  });

  it("refuses the form of a page whose name was pointed at us", async () => {
    const { app } = await startTestDashboard({ publicHosts: ["clipmill.example"] });
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
    const { app } = await startTestDashboard();
    expect((await submitPassword(app, PASSWORD, headers)).statusCode).toBe(403);
  });

  it("accepts the form of its own origin", async () => {
    const { app } = await startTestDashboard({ publicHosts: ["clipmill.example"] });
    const headers = { host: "clipmill.example:4600", origin: "http://clipmill.example:4600" };
    expect((await submitPassword(app, PASSWORD, headers)).statusCode).toBe(303);
  });

  it("lasts twelve hours", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { app } = await startTestDashboard();
    const headers = { cookie: await logIn(app) };
    vi.setSystemTime(Date.now() + 12 * 3_600_000 - 1_000);
    expect((await app.inject({ url: "/queues", headers })).statusCode).toBe(200);
    vi.setSystemTime(Date.now() + 2_000);
    expect((await app.inject({ url: "/queues", headers })).statusCode).toBe(401);
  });

  it("is undone by logging out", async () => {
    const { app } = await startTestDashboard();
    const headers = { cookie: await logIn(app) };
    const response = await app.inject({ method: "POST", url: "/queues/logout", headers });
    expect(response.headers["location"]).toBe("/queues/login");
    expect(String(response.headers["set-cookie"])).toMatch(/^clipmill_session=;.*Path=\/queues/);
  });
});
