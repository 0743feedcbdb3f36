import { type Answer, parseBody, toJsonAnswer, toTextAnswer } from "../claude/answer.ts";
import type { FaultKind, ParsedFault, RouteName } from "./fault.ts";
import { toFailure } from "./upstream-failure.ts";

/** An answer and how it goes out. */
export interface Delivery {
  answer: Answer;
  /**
   * `cut-off` hangs up after half of the announced length, `oversized` long before it; `endless` announces none and
   * does not stop; `never` holds the connection open.
   */
  pace: "whole" | "never" | "cut-off" | "oversized" | "endless" | { intervalMs: number };
}

/** What the fault makes of the right answer. */
export function applyFault(route: RouteName, answer: Answer, fault: ParsedFault | null): Delivery {
  if (fault === null) return { answer, pace: "whole" };
  return EFFECTS[fault.kind](answer, route, fault);
}

type Effect = (answer: Answer, route: RouteName, fault: ParsedFault) => Delivery;
type Change = (...args: Parameters<Effect>) => Answer;

function whole(change: Change): Effect {
  return (...args) => ({ answer: change(...args), pace: "whole" });
}

const HTML =
  "<!doctype html><html><head><title>TikTok</title></head><body>Please wait</body></html>";

const EFFECTS: Record<FaultKind, Effect> = {
  timeout: (answer) => ({ answer, pace: "never" }),
  truncated: (answer) => ({ answer, pace: "cut-off" }),
  "slow-drip": (answer, _route, { intervalMs = 200 }) => ({ answer, pace: { intervalMs } }),
  oversized: (answer) => ({ answer, pace: "oversized" }),
  endless: (answer) => ({ answer, pace: "endless" }),
  redirect: whole((_answer, _route, { location = "" }) => ({
    ...toTextAnswer(302, ""),
    headers: { location },
  })),
  "rate-limited": whole((_answer, route, { retryAfterS = 1 }) =>
    withRetryAfter(toFailure(route, "throttled"), retryAfterS),
  ),
  "server-error": whole((_answer, route, { status }) => toFailure(route, "broken", status)),
  overloaded: whole((_answer, route) => toFailure(route, "overloaded")),
  "bad-key": whole((_answer, route) => toFailure(route, "bad-key")),
  "no-balance": whole((_answer, route) => toFailure(route, "no-balance")),
  blocked: whole(() => toTextAnswer(403, HTML, "text/html")),
  html: whole(() => toTextAnswer(200, HTML, "text/html")),
  "expired-link": whole(() => toTextAnswer(403, "Access Denied: the link is expired")),
  "region-locked": whole(() => toTextAnswer(403, "Access Denied: not available in your country")),
  "cut-file": whole((answer) => ({ ...answer, body: toHalf(answer.body) })),
  "invalid-json": whole((answer) => changeMessage(answer, breakText)),
  refusal: whole((answer) => changeMessage(answer, refuse)),
};

function withRetryAfter(answer: Answer, seconds: number): Answer {
  return { ...answer, headers: { ...answer.headers, "retry-after": String(seconds) } };
}

/** The first half of a body. */
export function toHalf(body: Buffer): Buffer {
  return body.subarray(0, body.length >> 1);
}

interface MessageBody {
  content: { type: string; text?: string }[];
}

function changeMessage(answer: Answer, change: (message: MessageBody) => object): Answer {
  const message = parseBody(answer.body) as MessageBody;
  return toJsonAnswer(change(message), { headers: { ...answer.headers } });
}

function breakText(message: MessageBody): object {
  const content = message.content.map((block) =>
    block.text === undefined
      ? block
      : { ...block, text: block.text.slice(0, block.text.length >> 1) },
  );
  return { ...message, content };
}

function refuse(message: MessageBody): object {
  const stop_details = { type: "refusal", category: "general_harms", explanation: null };
  return { ...message, content: [], stop_reason: "refusal", stop_details };
}
