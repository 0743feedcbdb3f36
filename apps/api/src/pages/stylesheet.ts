import { STYLESHEET, STYLESHEET_PATH } from "@clipmill/dashboard";
import type { Api } from "../deps.ts";

/** The style of all pages, the dashboard's included. */
export function stylesheet(api: Api): void {
  api.get(STYLESHEET_PATH, { schema: { hide: true }, logLevel: "warn" }, (_request, reply) =>
    reply
      .headers({ "content-type": "text/css; charset=utf-8", "cache-control": "no-cache" })
      .send(STYLESHEET),
  );
}
