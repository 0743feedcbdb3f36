import type { IncomingHttpHeaders } from "node:http";
import type { RouteName } from "../faults/fault.ts";

/** A request as the stand-ins see it. */
export interface SandboxRequest {
  method: string;
  headers: IncomingHttpHeaders;
  params: Readonly<Record<string, string>>;
  query: Readonly<Record<string, string>>;
  body: Buffer;
}

/** A whole response, before faults are applied to it. */
export interface Answer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

/** One endpoint of somebody else's machine. */
export interface Endpoint {
  name: RouteName;
  /** In fastify's notation, below the sandbox's URL. */
  path: string;
  answer(request: SandboxRequest): EndpointAnswer | Promise<EndpointAnswer>;
}

interface EndpointAnswer {
  answer: Answer;
  /** The sample post that the request is about, for faults and counters. */
  postId: string | null;
}

export function toJsonAnswer(
  value: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): Answer {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

export function toTextAnswer(status: number, text: string, contentType = "text/plain"): Answer {
  return {
    status,
    headers: { "content-type": `${contentType}; charset=utf-8` },
    body: Buffer.from(text),
  };
}

/** Undefined where the body is no JSON. */
export function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
