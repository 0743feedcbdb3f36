import formbody from "@fastify/formbody";
import rateLimit from "@fastify/rate-limit";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { renderLoginPage } from "./pages/login-page.ts";
import type { Session } from "./session.ts";

/** Attempts in one minute of one address, or of one browser that was let in before. A generated password has 96 bits or more; this is for chosen ones. */
const MAX_ATTEMPTS = 10;
/** A password and the form around it. */
const BODY_LIMIT_BYTES = 4_096;

/** The two doors: in and out. */
export async function registerLogin(
  app: FastifyInstance,
  { session, log }: { session: Session; log: FastifyBaseLogger },
): Promise<void> {
  await app.register(formbody, { bodyLimit: BODY_LIMIT_BYTES });
  await app.register(rateLimit, { global: false });
  const limitAttempts = app.createRateLimit({
    max: MAX_ATTEMPTS,
    timeWindow: "1 minute",
    keyGenerator: (request) => session.toGuesser(request),
  });
  const action = `${app.prefix}/login`;

  app.get("/login", { schema: { hide: true } }, (_request, reply) =>
    reply.type("text/html; charset=utf-8").send(renderLoginPage({ action, problem: null })),
  );

  app.post("/login", { schema: { hide: true } }, async (request, reply) => {
    reply.type("text/html; charset=utf-8");
    const limit = await limitAttempts(request);
    if (!limit.isAllowed && limit.isExceeded) {
      log.warn({ event: "login_limited" }, "too many dashboard logins");
      reply.code(429).header("retry-after", limit.ttlInSeconds);
      return renderLoginPage({ action, problem: "Too many attempts. Wait a minute." });
    }
    if (!session.isPassword(toPassword(request.body))) {
      log.warn({ event: "login_refused" }, "wrong dashboard password");
      reply.code(401);
      return renderLoginPage({ action, problem: "That is not the password." });
    }
    session.open(reply);
    return reply.redirect(app.prefix, 303);
  });

  app.post("/logout", { schema: { hide: true } }, (_request, reply) => {
    session.close(reply);
    return reply.redirect(action, 303);
  });
}

function toPassword(body: unknown): string {
  const isForm = typeof body === "object" && body !== null && "password" in body;
  return isForm && typeof body.password === "string" ? body.password : "";
}
