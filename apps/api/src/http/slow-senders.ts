import type { Api } from "../deps.ts";
import { FaultError } from "./problem.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route reads its body as a stream of any length, and minds the sender's pace itself. Default false. */
    streamsBody?: boolean;
  }
}

/** A body of 64 kB arrives in this time over the slowest line that anybody has. */
const BODY_MS = 30_000;
/** How long what is left of a body may take after the answer, so that its sender comes to read that. */
const LINGER_MS = 5_000;

/** Holds no connection for a sender that drips its body: FaultError 408 after 30 s. `bodyMs` is a test's. */
export function registerSlowSenders(
  api: Api,
  { bodyMs = BODY_MS, lingerMs = LINGER_MS } = {},
): void {
  api.addHook("preParsing", (request, _reply, payload, done) => {
    const { raw } = request;
    if (!raw.complete && request.routeOptions.config.streamsBody !== true) {
      const fail = () => {
        const detail = `the body did not arrive within ${bodyMs / 1_000} s`;
        // Not destroyed: the connection still has to carry the answer.
        payload.emit("error", new FaultError({ code: "invalid_request", status: 408, detail }));
      };
      const timer = setTimeout(fail, bodyMs);
      const stop = () => clearTimeout(timer);
      raw.once("end", stop).once("close", stop);
    }
    done(null, payload);
  });
  api.addHook("onResponse", (request, _reply, done) => {
    const { raw } = request;
    if (!raw.complete) {
      const timer = setTimeout(() => raw.destroy(), lingerMs);
      raw.once("end", () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
    }
    done();
  });
}
