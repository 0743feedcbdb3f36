import type { Api } from "../deps.ts";

/** `GET /openapi.json` */
export function openapiJson(api: Api): void {
  api.get("/openapi.json", { schema: { hide: true } }, () => api.swagger());
}
