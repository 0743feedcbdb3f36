import { renderHomePage } from "@clipmill/dashboard";
import type { FastifyRequest } from "fastify";
import type { Api, ApiDeps } from "../deps.ts";

/** `GET /` for people. */
export function home(api: Api, deps: ApiDeps): void {
  api.get("/", { schema: { hide: true } }, async (request, reply) => {
    const recent = (await deps.recent?.()) ?? null;
    reply.type("text/html; charset=utf-8");
    return renderHomePage({ version: deps.version, origin: toOrigin(request), recent });
  });
}

/** The page puts it into a shell command, and the Host header is the client's: only what is a host and a port gets through. */
function toOrigin({ protocol, host }: FastifyRequest): string {
  const isPlain = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/i.test(host);
  return `${protocol}://${isPlain ? host : "127.0.0.1:4600"}`;
}
