import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";

/**
 * Why a request that changes something is not let in, or null for one of our own pages or of a program. Beside
 * SameSite=Strict, because another port of one host is the same site. Programs that are no browser send neither header,
 * and carry no cookie that they were not given.
 *
 * `publicHosts` are the names under which people reach us, beside loopback names and addresses. A page whose name was
 * pointed at us (DNS rebinding) is of one origin with itself, so the name is what gives it away.
 */
export function explainForeign(
  request: FastifyRequest,
  publicHosts: readonly string[],
): string | null {
  const site = request.headers["sec-fetch-site"];
  const { origin } = request.headers;
  if (site === undefined && origin === undefined) return null;
  if (!isOwnHost(request.hostname, publicHosts)) {
    return "this host is not known here; if it is yours, add its name to PUBLIC_HOSTS";
  }
  const isSame =
    site === undefined
      ? URL.canParse(origin ?? "") && new URL(origin ?? "").host === request.host.toLowerCase()
      : site === "same-origin" || site === "none";
  return isSame ? null : "a page of another site may only read";
}

/** No stranger can make a name of theirs be an address, or end in localhost. */
function isOwnHost(hostname: string, publicHosts: readonly string[]): boolean {
  const name = hostname.toLowerCase();
  return (
    isIP(name.replace(/^\[|\]$/g, "")) !== 0 ||
    name === "localhost" ||
    name.endsWith(".localhost") ||
    publicHosts.some((host) => host.toLowerCase() === name)
  );
}
