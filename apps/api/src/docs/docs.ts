import { randomBytes } from "node:crypto";
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Api } from "../deps.ts";

/**
 * Scalar's page at `/docs/`, from its own bundle. It may talk to nobody but us, whatever its settings come to be. The
 * bundle is loaded when somebody first asks for the page: it has 4 MB, and was a fifth of what starting the API cost.
 */
export function registerDocs(api: Api): void {
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
  let loading: Promise<FastifyInstance> | null = null;

  async function serve({ url }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    loading ??= loadDocs(nonce);
    const docs = await loading.catch((error: unknown) => {
      loading = null;
      throw error;
    });
    const { statusCode, headers, rawPayload } = await docs.inject(url);
    return reply
      .code(statusCode)
      .headers({ ...headers, "content-security-policy": csp })
      .send(rawPayload);
  }

  const schema = { hide: true };
  api.get("/docs", { schema }, serve);
  api.get("/docs/*", { schema }, serve);
}

/** A server that listens nowhere. */
async function loadDocs(nonce: string): Promise<FastifyInstance> {
  const { default: reference } = await import("@scalar/fastify-api-reference");
  const docs = fastify();
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
  return docs;
}
