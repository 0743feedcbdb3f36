import { type BoardQueue, createDashboard, type DashboardOptions } from "@clipmill/dashboard";
import { createLogger } from "@clipmill/config";
import { fastify, type FastifyInstance } from "fastify";
import { onTestFinished, vi } from "vitest";

export const PASSWORD = "correct horse battery";
/** What its database counts, unless a test says otherwise. */
export const COUNTS = [
  { queue: "io", ready: 12, queued: 3, running: 2, waiting: 5, retrying: 1, dead: 4 },
  { queue: "gpu", ready: 0, queued: 0, running: 0, waiting: 0, retrying: 0, dead: 0 },
] as const;

/** As much of a BullMQ queue as the board asks for when it is told to pause all. */
export function createStubQueue(name: string) {
  const pause = vi.fn(() => Promise.resolve());
  const isPaused = () => Promise.resolve(false);
  const queue = { name, metaValues: { version: "bullmq:6.7.0" }, pause, isPaused };
  return { pause, queue: queue as unknown as BoardQueue };
}

/** The dashboard at /queues, until the end of the test; `overrides` replace single options. Resolves with its routes as well. */
export async function startTestDashboard(
  overrides: Partial<DashboardOptions> = {},
  trustProxy = false,
) {
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

/** Sends the login form, from a browser that sends these headers. */
export function submitPassword(app: FastifyInstance, password: string, headers = {}) {
  return app.inject({
    method: "POST",
    url: "/queues/login",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    payload: new URLSearchParams({ password }).toString(),
  });
}

/** Resolves with the cookie of a session, as a browser sends it. */
export async function logIn(app: FastifyInstance): Promise<string> {
  const { headers } = await submitPassword(app, PASSWORD);
  return String(headers["set-cookie"]).split(";")[0] ?? "";
}
