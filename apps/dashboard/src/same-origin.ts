import type { FastifyRequest } from "fastify";

/**
 * Whether a request that changes something comes from our own pages. Beside SameSite=Strict, because another port of one
 * host is the same site. Programs that are no browser send neither header, and carry no cookie that they were not given.
 */
export function isSameOrigin(request: FastifyRequest): boolean {
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  const { origin } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === request.host;
}
