import type { Api } from "../deps.ts";

/** Our pages run no script and load one style sheet. Routes that need more (docs, board) set their own. */
const PAGE_CSP = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * What helmet sets, but for `strict-transport-security`: whether a host is only ever reached over TLS is known to the
 * proxy that ends TLS, not here. Written out, because helmet's plugin works them out anew for each request, which was
 * a sixteenth of what a read of a stored result costs.
 */
const HEADERS = {
  "content-security-policy": PAGE_CSP,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "origin-agent-cluster": "?1",
  // `no-referrer`, helmet's default, makes forms send `Origin: null`.
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-dns-prefetch-control": "off",
  "x-download-options": "noopen",
  "x-frame-options": "SAMEORIGIN",
  "x-permitted-cross-domain-policies": "none",
  "x-xss-protection": "0",
};

/** On every answer; a route or plugin that sets one of them itself wins. */
export function registerSecurityHeaders(api: Api): void {
  api.addHook("onRequest", (_request, reply, done) => {
    reply.headers(HEADERS);
    done();
  });
}
