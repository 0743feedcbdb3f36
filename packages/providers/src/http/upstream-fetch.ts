import { Agent, type Dispatcher, request } from "undici";
import { ACCEPT_ENCODING, readBodyText } from "./body-text.ts";
import { parseUpstreamJson } from "./upstream-json.ts";

export interface UpstreamFetchOptions {
  /** Of the answer, also after unpacking. */
  maxBytes: number;
  /** Until the answer's headers, and between two pieces of its body. */
  timeoutMs: number;
}

/** These have no body, and a Response refuses one. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * `fetch` for libraries that bring their own client: the answer is bounded, unpacked and decoded as everywhere
 * (`readBodyText`), and JSON in it is standard JSON with clean text (`parseUpstreamJson`). Takes a URL and a body of text.
 * Follows no redirect. Rejects with BodyError, or with what broke the connection.
 */
export function createUpstreamFetch({ maxBytes, timeoutMs }: UpstreamFetchOptions): typeof fetch {
  const dispatcher = new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
  return async (url, init = {}) => {
    const { method = "GET", signal } = init;
    const headers = new Headers(init.headers);
    headers.set("accept-encoding", ACCEPT_ENCODING);
    const answer = await request(String(url instanceof Request ? url.url : url), {
      method,
      headers: Object.fromEntries(headers),
      body: typeof init.body === "string" ? init.body : null,
      signal: signal ?? null,
      dispatcher,
    });
    const text = await readBodyText(answer.body, answer.headers, { maxBytes });
    const status = answer.statusCode;
    return new Response(WITHOUT_BODY.has(status) ? null : toStandardText(text), {
      status,
      headers: toHeaders(answer.headers),
    });
  };
}

function toStandardText(text: string): string {
  const json = parseUpstreamJson(text);
  return json === undefined ? text : JSON.stringify(json);
}

/** Without what described the body as it came. */
function toHeaders(received: Dispatcher.ResponseData["headers"]): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(received)) {
    if (/^(content-encoding|content-length|transfer-encoding)$/i.test(name)) continue;
    for (const each of [value ?? []].flat()) headers.append(name, each);
  }
  return headers;
}
