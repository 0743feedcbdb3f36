import { createHash, randomUUID, scryptSync, timingSafeEqual } from "node:crypto";
import cookie from "@fastify/cookie";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

const COOKIE = "clipmill_session";
const SESSION_MS = 12 * 60 * 60 * 1000;
const DEVICE_COOKIE = "clipmill_device";
const DEVICE_MS = 180 * 24 * 60 * 60 * 1000;

/** Who may see the dashboard: whoever showed the password in the last 12 hours. */
export interface Session {
  /** Constant time in the password's content and length. */
  isPassword(candidate: string): boolean;
  isOpen(request: FastifyRequest): boolean;
  open(reply: FastifyReply): void;
  close(reply: FastifyReply): void;
  /**
   * Who counts as one when passwords are tried: a browser that showed the password before, else an address. So strangers
   * behind one proxy with a person cannot lock that person out.
   */
  toGuesser(request: FastifyRequest): string;
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
  const unsign = (request: FastifyRequest, name: string): string | null => {
    const signed = request.cookies[name];
    const unsigned = signed === undefined ? null : request.unsignCookie(signed);
    return unsigned?.valid === true ? unsigned.value : null;
  };
  // One name's signature is no good under another.
  const findDevice = (request: FastifyRequest) =>
    /^device-[\w-]{36}$/.exec(unsign(request, DEVICE_COOKIE) ?? "")?.[0] ?? null;

  return {
    isPassword: (candidate) => timingSafeEqual(toDigest(candidate), digest),
    isOpen(request) {
      return Number(unsign(request, COOKIE) ?? 0) > Date.now();
    },
    open(reply) {
      // With TLS in front, Fastify's trustProxy decides what it sees.
      const signed = { ...cookieOptions, signed: true, secure: "auto" } as const;
      const expiry = String(Date.now() + SESSION_MS);
      reply.setCookie(COOKIE, expiry, { ...signed, maxAge: SESSION_MS / 1000 });
      const device = findDevice(reply.request) ?? `device-${randomUUID()}`;
      reply.setCookie(DEVICE_COOKIE, device, { ...signed, maxAge: DEVICE_MS / 1000 });
    },
    toGuesser: (request) => findDevice(request) ?? request.ip,
    close(reply) {
      reply.clearCookie(COOKIE, cookieOptions);
    },
  };
}

function toDigest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
