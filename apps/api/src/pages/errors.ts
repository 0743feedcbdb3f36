import { renderErrorsPage } from "@clipmill/dashboard";
import type { Api } from "../deps.ts";

/** `GET /errors`: where the `type` of every problem document points. */
export function errors(api: Api): void {
  api.get("/errors", { schema: { hide: true } }, (_request, reply) =>
    reply.type("text/html; charset=utf-8").send(renderErrorsPage()),
  );
}
