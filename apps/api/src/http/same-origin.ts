import { explainForeign } from "@clipmill/dashboard";
import { UnrecoverableError } from "@clipmill/domain";
import type { Api, ApiDeps } from "../deps.ts";
import { FaultError } from "./problem.ts";

const READING = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Lets no page of another site start or change anything: a form, or a post of plain text, needs nobody's leave to reach
 * the loopback address. Programs that are no browser are not concerned.
 */
export function registerSameOrigin(api: Api, { publicHosts = [] }: ApiDeps): void {
  api.addHook("onRequest", async (request) => {
    // Node would take the first of two, and a proxy before us maybe the second.
    if (countHosts(request.raw.rawHeaders) > 1) {
      const detail = "the request has more than one Host header";
      throw new FaultError({ code: "invalid_request", status: 400, detail });
    }
    // The route's path and not the request's, which may be spelled in escapes.
    const isOurs = request.routeOptions.url?.startsWith("/v1/") ?? false;
    if (!isOurs || READING.has(request.method)) return;
    const foreign = explainForeign(request, publicHosts);
    if (foreign !== null) throw new UnrecoverableError("cross_site", foreign);
  });
}

/** Names and values stand in turn. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === "host") count++;
  }
  return count;
}
