import type { Api } from "../deps.ts";
import { toPath } from "./error-handling.ts";

/** Longer paths are nobody's job id. */
const MAX_PATH_CHARS = 200;

declare module "fastify" {
  interface FastifyReply {
    /** Fields of the request's log line that only its route knows, such as the job that it made. */
    logFields: Readonly<Record<string, string>> | null;
  }
}

/** One line per request. A route with `logLevel: "silent"` writes none. */
export function registerAccessLog(api: Api): void {
  api.decorateReply("logFields", null);
  api.addHook("onResponse", (request, reply, done) => {
    request.log.info(
      {
        method: request.method,
        path: toPath(request.url).slice(0, MAX_PATH_CHARS),
        status: reply.statusCode,
        ...reply.logFields,
        ms: Math.round(reply.elapsedTime),
      },
      "request",
    );
    done();
  });
}
