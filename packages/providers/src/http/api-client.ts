import { type EngineId, RetryableError } from "@clipmill/domain";
import { Agent, type Dispatcher } from "undici";
import { ACCEPT_ENCODING, BodyError, readBodyText } from "./body-text.ts";
import { findHoldOffMs } from "./rate-headers.ts";
import { parseUpstreamJson } from "./upstream-json.ts";

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
          headers: {
            ...headers,
            accept: "application/json",
            "accept-encoding": ACCEPT_ENCODING,
          },
          signal: AbortSignal.any([signal, timeout]),
        });
        const holdOffMs = findHoldOffMs(response.headers);
        if (holdOffMs !== undefined) onHoldOff?.(holdOffMs);
        const body = parseUpstreamJson(await readText(response));
        return { status: response.statusCode, headers: response.headers, body };
      } catch (cause) {
        throw signal.aborted ? signal.reason : toTransportError(cause, engine);
      }
    },
    close: () => agent.destroy(),
  };
}

/** Empty for what is over the limit or cannot be unpacked, which then is no JSON. */
async function readText({ body, headers }: Dispatcher.ResponseData): Promise<string> {
  try {
    return await readBodyText(body, headers, { maxBytes: MAX_ANSWER_BYTES });
  } catch (error) {
    if (error instanceof BodyError) return "";
    throw error;
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
