import { type EngineId, RetryableError } from "@clipmill/domain";
import { Agent, type Dispatcher } from "undici";
import { findHoldOffMs } from "./rate-headers.ts";
import { parseExactJson } from "./exact-json.ts";

export interface ApiClientOptions {
  /** Without a slash at the end. The operator's own choice, so it may be http and private. */
  baseUrl: string;
  /** Sent with every call. */
  headers?: Record<string, string>;
  /** Named in errors. */
  engine: EngineId;
  /** Of one call with its answer, in ms. */
  timeoutMs: number;
  /** Told when an answer says that no call is left for so long. Default: nobody is. */
  onHoldOff?: ((forMs: number) => void) | undefined;
}

export interface ApiAnswer {
  status: number;
  headers: Dispatcher.ResponseData["headers"];
  /** Undefined when it is no JSON. */
  body: unknown;
}

/** GET calls of a JSON API. Redirects are not followed: they would carry the key elsewhere. */
export interface ApiClient {
  /** Any status is an answer. Throws RetryableError `upstream_unavailable` for timeouts and broken connections. */
  get(
    path: string,
    params: Record<string, string>,
    options: { signal: AbortSignal },
  ): Promise<ApiAnswer>;
  close(): Promise<void>;
}

/** A detail has about 5 kB, a page of 35 posts 200 kB. */
const MAX_ANSWER_BYTES = 2_000_000;

export function createApiClient(options: ApiClientOptions): ApiClient {
  const { baseUrl, headers, engine, timeoutMs, onHoldOff } = options;
  const agent = new Agent({ allowH2: false });
  return {
    async get(path, params, { signal }) {
      const url = new URL(`${baseUrl}${path}`);
      for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const response = await agent.request({
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: "GET",
          headers: { ...headers, accept: "application/json" },
          signal: AbortSignal.any([signal, timeout]),
        });
        const holdOffMs = findHoldOffMs(response.headers);
        if (holdOffMs !== undefined) onHoldOff?.(holdOffMs);
        const body = parseOrUndefined(await readText(response.body));
        return { status: response.statusCode, headers: response.headers, body };
      } catch (cause) {
        throw signal.aborted ? signal.reason : toTransportError(cause, engine);
      }
    },
    close: () => agent.destroy(),
  };
}

/** Empty for what is over the limit, which then is no JSON. */
async function readText(body: Dispatcher.ResponseData["body"]): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_ANSWER_BYTES) return "";
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseOrUndefined(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    // HTML, a cut-off body, nesting without end: all of them are no JSON.
    return undefined;
  }
}

function toTransportError(cause: unknown, upstream: EngineId): RetryableError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  const isTimeout = cause instanceof DOMException && cause.name === "TimeoutError";
  return new RetryableError("upstream_unavailable", `${upstream} did not answer`, {
    cause,
    upstream,
    details: { transport: isTimeout ? "timeout" : code },
  });
}
