import { createHash, scryptSync, timingSafeEqual } from "node:crypto";
import cookie from "@fastify/cookie";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

const COOKIE = "clipmill_session";
const SESSION_MS = 12 * 60 * 60 * 1000;

/** Who may see the dashboard: whoever showed the password in the last 12 hours. */
export interface Session {
  /** Constant time in the password's content and length. */
  isPassword(candidate: string): boolean;
  isOpen(request: FastifyRequest): boolean;
  open(reply: FastifyReply): void;
  close(reply: FastifyReply): void;
}

/**
 * A session is a signed expiry in a cookie: nothing is stored, so it survives a restart and holds on every copy of the API.
 * The price: logging out removes the cookie from the browser, and only a new password revokes a copied one.
 */
export async function createSession(app: FastifyInstance, password: string): Promise<Session> {
  // scrypt, so that whoever sees a cookie cannot try passwords against it cheaply.
  const secret = scryptSync(password, "clipmill dashboard session", 32);
  const digest = toDigest(password);
  const cookieOptions = { path: app.prefix, httpOnly: true, sameSite: "strict" } as const;
  await app.register(cookie, { secret });

  return {
    isPassword: (candidate) => timingSafeEqual(toDigest(candidate), digest),
    isOpen(request) {
      const signed = request.cookies[COOKIE];
      if (signed === undefined) return false;
      const { valid, value } = request.unsignCookie(signed);
      return valid && Number(value) > Date.now();
    },
    open(reply) {
      reply.setCookie(COOKIE, String(Date.now() + SESSION_MS), {
        ...cookieOptions,
        signed: true,
        maxAge: SESSION_MS / 1000,
        // With TLS in front, Fastify's trustProxy decides what it sees.
        secure: "auto",
      });
    },
    close(reply) {
      reply.clearCookie(COOKIE, cookieOptions);
    },
  };
}

function toDigest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
