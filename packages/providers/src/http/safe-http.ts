import type { IncomingHttpHeaders } from "node:http";
import { ClipmillError, RetryableError } from "@clipmill/domain";
import { type Dispatcher, errors } from "undici";
import { createAgents } from "./agents.ts";
import type { GuardOptions } from "./guarded-connector.ts";

export interface SafeHttpOptions extends Pick<GuardOptions, "resolve" | "isAllowedAddress"> {
  /** Which hosts may be called, by exact name or dot suffix. Asked again at every redirect. */
  allowHost: (host: string) => boolean;
  /** The sandbox's exact origin, such as `http://127.0.0.1:4601`: the only address that may be private or plain http. */
  allowLoopback?: string;
  /** Whose machines these are, for the errors. Default: not told. */
  upstream?: string;
  /** Until the connection stands, in ms. Default 10,000. */
  connectTimeoutMs?: number;
  /** From the request to the answer's headers, in ms. Default 30,000. */
  headersTimeoutMs?: number;
  /** From the first request to the last byte, redirects included, in ms. Default 600,000: 500 MB at 7 Mbit/s. */
  totalTimeoutMs?: number;
}

interface SafeRequest {
  signal: AbortSignal;
  /** Default GET. */
  method?: "GET" | "HEAD";
  /** `cookie` in lower case: it does not follow a redirect to another host. */
  headers?: Record<string, string>;
  /** How many redirects are followed; the one after them is returned as it is. Default 5. */
  maxRedirects?: number;
  /** Longest silence between two pieces of the body, in ms. Default 60,000. */
  idleTimeoutMs?: number;
  /**
   * http(s) address of a proxy of ours, which opens a tunnel to the host. The rules about links hold as ever, but the
   * name is resolved at the proxy: what is behind it there, we cannot see. Default: a direct connection.
   */
  proxyUrl?: string | undefined;
}

export interface SafeResponse {
  status: number;
  headers: IncomingHttpHeaders;
  /** Where the answer came from, after redirects. */
  url: string;
  /** Breaks off with RetryableError `upstream_unavailable`, or with the signal's reason. Read it or `discard` it. */
  body: AsyncIterable<Uint8Array>;
  /** Drops the body and its connection. */
  discard(): Promise<void>;
}

/**
 * HTTP to addresses that strangers name: media links, short links. https on port 443 to allowed hosts only, without
 * user info, to public addresses only, and all of it again at each redirect.
 */
export interface SafeHttp {
  /**
   * Throws RetryableError `bad_response` for a link that may not be followed or redirects for ever, and
   * `upstream_unavailable` for timeouts, resets and names that do not resolve. Any status is an answer.
   */
  request(url: string, options: SafeRequest): Promise<SafeResponse>;
  close(): Promise<void>;
}

const MAX_REDIRECTS = 5;

export function createSafeHttp(options: SafeHttpOptions): SafeHttp {
  const { upstream, connectTimeoutMs = 10_000 } = options;
  const { headersTimeoutMs = 30_000, totalTimeoutMs = 600_000 } = options;
  const agents = createAgents({ ...options, connectTimeoutMs, headersTimeoutMs });

  return {
    async request(link, { signal: callerSignal, maxRedirects = MAX_REDIRECTS, proxyUrl, ...rest }) {
      const agent = agents.get(proxyUrl ?? null);
      const timeout = AbortSignal.timeout(totalTimeoutMs);
      const signal = AbortSignal.any([callerSignal, timeout]);
      const context = { callerSignal, signal, upstream };
      const headers = { ...rest.headers };
      let url = checkUrl(link, options);
      for (let hops = 0; ; hops++) {
        const answer = await send(agent, url, { ...rest, headers, context });
        const location = toRedirect(answer);
        if (location === null || (maxRedirects === 0 && hops === 0)) {
          return toResponse(answer, url, context);
        }
        await discard(answer.body);
        if (hops >= maxRedirects) {
          throw toRefused(`there are more than ${maxRedirects} redirects`, upstream);
        }
        if (!URL.canParse(location, url.href))
          throw toRefused("a redirect leads to no address", upstream);
        const next = checkUrl(new URL(location, url).href, options);
        // A cookie is for the host that it was got for.
        if (next.origin !== url.origin) delete headers["cookie"];
        url = next;
      }
    },
    close: agents.close,
  };
}

/** Every rule about the link itself; the address behind its name is the connector's. */
function checkUrl(link: string, { allowHost, allowLoopback, upstream }: SafeHttpOptions): URL {
  if (!URL.canParse(link)) throw toRefused("the link is no address", upstream);
  const url = new URL(link);
  const refuse = (why: string) => toRefused(why, upstream, url);
  if (url.username !== "" || url.password !== "") throw refuse("the link holds user info");
  if (allowLoopback !== undefined && url.origin === allowLoopback) return url;
  if (url.protocol !== "https:") throw refuse("the link is not https");
  if (url.port !== "") throw refuse("the link names a port");
  if (!allowHost(url.hostname)) throw refuse("the link's host is not on the list");
  return url;
}

/** The host may be told: it is what an operator needs to extend the list. Path and query may be signed. */
function toRefused(why: string, upstream: string | undefined, url?: URL): RetryableError {
  return new RetryableError("bad_response", why, {
    upstream,
    details: { host: url?.hostname.slice(0, 100) ?? null },
  });
}

interface Context {
  callerSignal: AbortSignal;
  /** The caller's, or the total timeout's. */
  signal: AbortSignal;
  upstream: string | undefined;
}

type Answer = Dispatcher.ResponseData;

async function send(
  agent: Dispatcher,
  url: URL,
  {
    method = "GET",
    headers,
    idleTimeoutMs = 60_000,
    context,
  }: Omit<SafeRequest, "signal" | "maxRedirects" | "proxyUrl"> & { context: Context },
): Promise<Answer> {
  try {
    return await agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { ...headers, "accept-encoding": "identity" },
      bodyTimeout: idleTimeoutMs,
      signal: context.signal,
    });
  } catch (cause) {
    throw toTransportError(cause, context);
  }
}

function toRedirect({ statusCode, headers }: Answer): string | null {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return null;
  return typeof headers["location"] === "string" ? headers["location"] : null;
}

function toResponse(answer: Answer, url: URL, context: Context): SafeResponse {
  return {
    status: answer.statusCode,
    headers: answer.headers,
    url: url.href,
    body: readBody(answer.body, context),
    discard: () => discard(answer.body),
  };
}

async function* readBody(body: Answer["body"], context: Context): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk as Uint8Array;
  } catch (cause) {
    throw toTransportError(cause, context);
  }
}

/** Not `dump`: what a stranger sends is not worth reading to its end. */
async function discard(body: Answer["body"]): Promise<void> {
  // Destroying an unread body reports the abort as an error; nobody is left to hear it.
  body.on("error", () => {});
  body.destroy();
}

/** The caller's abort keeps its reason; what the guard said keeps its code; the rest is the upstream's connection. */
function toTransportError(cause: unknown, { callerSignal, signal, upstream }: Context): unknown {
  if (callerSignal.aborted) return callerSignal.reason;
  if (cause instanceof ClipmillError) return cause;
  const fail = (
    code: "upstream_unavailable" | "bad_response",
    message: string,
    transport: string,
  ) => new RetryableError(code, message, { cause, upstream, details: { transport } });
  if (signal.aborted) {
    return fail("upstream_unavailable", "the transfer took too long", "total timeout");
  }
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  if (cause instanceof errors.ResponseContentLengthMismatchError) {
    return fail("bad_response", "the body is shorter than announced", code);
  }
  return fail("upstream_unavailable", `the connection failed with ${code}`, code);
}
