import type { Api } from "../deps.ts";
import { toPath } from "./error-handling.ts";

/** Longer paths are nobody's job id. */
const MAX_PATH_CHARS = 200;

/** One line per request. A route with `logLevel: "silent"` writes none. */
export function registerAccessLog(api: Api): void {
  api.addHook("onResponse", (request, reply, done) => {
    request.log.info(
      {
        method: request.method,
        path: toPath(request.url).slice(0, MAX_PATH_CHARS),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      "request",
    );
    done();
  });
}
