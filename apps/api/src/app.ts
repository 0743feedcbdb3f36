import { fastify, type FastifyInstance, LogController } from "fastify";
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import { registerAccessLog } from "./access-log.ts";
import type { Api, ApiDeps } from "./deps.ts";
import { registerDocs } from "./docs.ts";
import { registerErrorHandling, sendFault } from "./error-handling.ts";
import { registerOpenApi } from "./openapi.ts";
import { REQUEST_ID_HEADER, toRequestId } from "./request-id.ts";
import { backfills } from "./routes/backfills.ts";
import { dead } from "./routes/dead.ts";
import { errors } from "./routes/errors.ts";
import { cancelJob } from "./routes/cancel-job.ts";
import { getJob } from "./routes/get-job.ts";
import { getPost } from "./routes/get-post.ts";
import { home } from "./routes/home.ts";
import { jobPage } from "./routes/job-page.ts";
import { livez } from "./routes/livez.ts";
import { openapiJson } from "./routes/openapi-json.ts";
import { postJob } from "./routes/post-job.ts";
import { readyz } from "./routes/readyz.ts";
import { stylesheet } from "./routes/stylesheet.ts";
import { registerSameOrigin } from "./same-origin.ts";
import { registerSecurityHeaders } from "./security-headers.ts";

const BODY_LIMIT_BYTES = 64 * 1024;

const ROUTES = [
  postJob,
  getJob,
  cancelJob,
  getPost,
  backfills,
  dead,
  livez,
  readyz,
  openapiJson,
  home,
  jobPage,
  errors,
  stylesheet,
];

/** The whole HTTP interface, ready but not listening. `close` ends waiting calls and closes nothing of `deps`. */
export async function buildApp(deps: ApiDeps): Promise<FastifyInstance> {
  const api = createServer(deps);
  registerRequestId(api);
  registerAccessLog(api);
  registerErrorHandling(api, deps);
  registerSecurityHeaders(api);
  registerSameOrigin(api);
  await registerOpenApi(api);
  for (const route of ROUTES) route(api, deps);
  await registerDocs(api);
  if (deps.dashboard !== undefined) await api.register(deps.dashboard, { prefix: "/queues" });
  await api.ready();
  return api;
}

function createServer({ log }: ApiDeps): Api {
  const api = fastify({
    loggerInstance: log,
    // Fastify's own two lines per request hold the query string; `registerAccessLog` writes one without.
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: "request_id",
    }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestIdHeader: false,
    genReqId: toRequestId,
    // A path that cannot be decoded reaches no hook and no error handler.
    frameworkErrors(_error, request, reply) {
      reply.header(REQUEST_ID_HEADER, request.id);
      void sendFault(request, reply, {
        code: "invalid_request",
        status: 400,
        detail: "the path is malformed",
      });
    },
  }).withTypeProvider<ZodTypeProvider>();
  api.setValidatorCompiler(validatorCompiler);
  api.setSerializerCompiler(serializerCompiler);
  // Bodies are JSON. Left in, plain text would be read, then refused by the schema.
  api.removeContentTypeParser("text/plain");
  return api;
}

function registerRequestId(api: Api): void {
  api.addHook("onRequest", (request, reply, done) => {
    reply.header(REQUEST_ID_HEADER, request.id);
    done();
  });
}
