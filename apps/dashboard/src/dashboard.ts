import type { FastifyBaseLogger, FastifyInstance, FastifyPluginAsync } from "fastify";
import { COUNTS_SCRIPT } from "./assets.ts";
import { type BoardQueue, registerBoard } from "./board.ts";
import { registerLogin } from "./login.ts";
import { renderQueuesPage } from "./pages/queues-page.ts";
import type { QueueCounts, WaitingGroup } from "@clipmill/db";
import { explainForeign } from "./same-origin.ts";
import { createSession, type Session } from "./session.ts";

export interface DashboardOptions {
  /** BullMQ queues in the order in which they are shown. Not closed here: they belong to the caller. */
  queues: readonly BoardQueue[];
  /** The rows in Postgres, one entry a queue. Asked every 3 s per open page. */
  countsByQueue(): Promise<readonly QueueCounts[]>;
  /** What keeps work from going on. */
  waiting(): Promise<readonly WaitingGroup[]>;
  password: string;
  /** `false` lets whoever is logged in retry, remove and pause in the board. */
  readOnly: boolean;
  /** Names under which people reach this page, beside loopback names and addresses. Default: none. */
  publicHosts?: readonly string[];
  log: FastifyBaseLogger;
}

const PAGE_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * The operator's pages as a Fastify plugin; register it with a prefix such as `/queues`. Everything below the prefix but
 * the login form wants a session. The host serves `STYLESHEET`.
 */
export function createDashboard(options: DashboardOptions): FastifyPluginAsync {
  return async (app) => {
    const session = await createSession(app, options.password);
    guard(app, session, options);
    await registerLogin(app, { session, log: options.log });
    registerQueuesPage(app, options);
    await app.register((board) => registerBoard(board, options), { prefix: "/board" });
  };
}

function guard(
  app: FastifyInstance,
  session: Session,
  { publicHosts = [] }: DashboardOptions,
): void {
  const loginPath = `${app.prefix}/login`;
  app.addHook("onRequest", async (request, reply) => {
    reply.headers({
      "content-security-policy": PAGE_CSP,
      "cache-control": "no-store",
      // `no-referrer` would make our own forms send `Origin: null`.
      "referrer-policy": "same-origin",
    });
    const changes = request.method !== "GET" && request.method !== "HEAD";
    const foreign = changes ? explainForeign(request, publicHosts) : null;
    if (foreign !== null) return reply.code(403).send(`${foreign}\n`);
    if (request.routeOptions.url === loginPath || session.isOpen(request)) return undefined;
    const wantsPage =
      request.method === "GET" && /\btext\/html\b/.test(request.headers.accept ?? "");
    if (wantsPage) return reply.redirect(loginPath, 303);
    return reply.code(401).send(`sign in at ${loginPath}\n`);
  });
}

function registerQueuesPage(app: FastifyInstance, options: DashboardOptions) {
  app.get("/", { schema: { hide: true } }, async (_request, reply) => {
    reply.type("text/html; charset=utf-8");
    const [counts, waiting] = await Promise.all([options.countsByQueue(), options.waiting()]);
    return renderQueuesPage({
      prefix: app.prefix,
      counts,
      waiting,
      readOnly: options.readOnly,
    });
  });
  app.get("/counts.json", { schema: { hide: true } }, () => options.countsByQueue());
  app.get("/counts.js", { schema: { hide: true } }, (_request, reply) =>
    reply.type("text/javascript; charset=utf-8").send(COUNTS_SCRIPT),
  );
}
