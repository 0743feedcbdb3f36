import { randomBytes } from "node:crypto";
import reference from "@scalar/fastify-api-reference";
import type { Api } from "../deps.ts";

/** Scalar's page at `/docs/`, from its own bundle. It may talk to nobody but us, whatever its settings come to be. */
export async function registerDocs(api: Api): Promise<void> {
  // Scalar takes one nonce at registration. The page is the same for everybody and holds nothing from outside.
  const nonce = randomBytes(16).toString("base64");
  const csp = [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");

  await api.register(async (docs) => {
    docs.addHook("onRequest", (_request, reply, done) => {
      reply.header("content-security-policy", csp);
      done();
    });
    await docs.register(reference, {
      routePrefix: "/docs",
      configuration: {
        url: "/openapi.json",
        pageTitle: "clipmill API",
        telemetry: false,
        withDefaultFonts: false,
        // Doors to Scalar's services, which the CSP would shut anyway.
        showDeveloperTools: "never",
        agent: { disabled: true },
        mcp: { disabled: true },
        hideClientButton: true,
        nonce,
      },
    });
  });
}
