import { isSameOrigin } from "@clipmill/dashboard";
import { UnrecoverableError } from "@clipmill/domain";
import type { Api } from "../deps.ts";

const READING = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Lets no page of another site start or change anything: a form, or a post of plain text, needs nobody's leave to reach
 * the loopback address. Programs that are no browser are not concerned.
 */
export function registerSameOrigin(api: Api): void {
  api.addHook("onRequest", async (request) => {
    // The route's path and not the request's, which may be spelled in escapes.
    const isOurs = request.routeOptions.url?.startsWith("/v1/") ?? false;
    if (!isOurs || READING.has(request.method) || isSameOrigin(request)) return;
    throw new UnrecoverableError("cross_site", "a page of another site may only read");
  });
}
