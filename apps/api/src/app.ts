import { fastify, type FastifyInstance, LogController } from "fastify";
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import { registerAccessLog } from "./http/access-log.ts";
import { registerContentEncoding } from "./http/content-encoding.ts";
import type { Api, ApiDeps } from "./deps.ts";
import { registerDocs } from "./docs/docs.ts";
import { registerErrorHandling, sendFault } from "./http/error-handling.ts";
import { registerOpenApi } from "./docs/openapi.ts";
import { REQUEST_ID_HEADER, toRequestId } from "./http/request-id.ts";
import { backfills } from "./v1/backfills/backfills.ts";
import { dead } from "./v1/dead-letter/dead.ts";
import { errors } from "./pages/errors.ts";
import { cancelJob } from "./v1/jobs/cancel-job.ts";
import { getJob } from "./v1/jobs/get-job.ts";
import { getPost } from "./v1/posts/get-post.ts";
import { home } from "./pages/home.ts";
import { jobPage } from "./pages/job-page.ts";
import { livez } from "./health/livez.ts";
import { openapiJson } from "./docs/openapi-json.ts";
import { postJob } from "./v1/jobs/post-job.ts";
import { readyz } from "./health/readyz.ts";
import { metrics } from "./metrics/metrics.ts";
import { stylesheet } from "./pages/stylesheet.ts";
import { registerSameOrigin } from "./http/same-origin.ts";
import { registerSlowSenders } from "./http/slow-senders.ts";
import { registerSecurityHeaders } from "./http/security-headers.ts";

const BODY_LIMIT_BYTES = 64 * 1024;

/** From the connection to the end of the headers. Node looks every quarter of it. */
const HEADERS_MS = 20_000;
/** Ten thousand callers may wait for a result at once; beyond that, new connections are closed at once. */
const MAX_CONNECTIONS = 12_000;

const ROUTES = [
  postJob,
  getJob,
  cancelJob,
  getPost,
  backfills,
  dead,
  livez,
  readyz,
  metrics,
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
  registerSameOrigin(api, deps);
  registerSlowSenders(api);
  registerContentEncoding(api);
  await registerOpenApi(api);
  for (const route of ROUTES) route(api, deps);
  registerDocs(api);
  if (deps.dashboard !== undefined) await api.register(deps.dashboard, { prefix: "/queues" });
  await api.ready();
  return api;
}

function createServer({ log, trustedProxies = [] }: ApiDeps): Api {
  const api = fastify({
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: HEADERS_MS / 4 },
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
  api.server.maxConnections = MAX_CONNECTIONS;
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
