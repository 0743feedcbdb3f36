import helmet from "@fastify/helmet";
import type { Api } from "./deps.ts";

/** Our pages run no script and load one style sheet. Routes that need more (docs, board) set their own. */
const PAGE_CSP = {
  defaultSrc: ["'none'"],
  styleSrc: ["'self'"],
  imgSrc: ["data:"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
};

export async function registerSecurityHeaders(api: Api): Promise<void> {
  await api.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: PAGE_CSP },
    // Whether a host is only ever reached over TLS is known to the proxy that ends TLS, not here.
    strictTransportSecurity: false,
    // `no-referrer`, the default, makes forms send `Origin: null`.
    referrerPolicy: { policy: "same-origin" },
  });
}
