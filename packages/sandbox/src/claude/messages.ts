import { randomUUID } from "node:crypto";
import {
  type Answer,
  type Endpoint,
  parseBody,
  type SandboxRequest,
  toJsonAnswer,
} from "./answer.ts";
import { toEvidencePhrases } from "./evidence-phrases.ts";
import { type MessagesRequest, parseMessagesRequest } from "./messages-request.ts";
import type { SamplePost } from "../sample-posts.ts";
import { toSchemaAnswer } from "./schema-answer.ts";
import { newAnthropicRequestId, toAnthropicError } from "../faults/upstream-failure.ts";

const CHARS_PER_TOKEN = 4;
/** What the stand-in claims to have thought when thinking is not switched off. */
const THINKING_TOKENS = 24;

/** The Anthropic Messages API, without streaming, tools and images. */
export function toMessages(posts: readonly SamplePost[]): Endpoint {
  return {
    name: "messages",
    path: "/anthropic/v1/messages",
    answer(request) {
      const refused = checkHeaders(request);
      if (refused !== null) return { answer: refused, postId: null };
      const body = parseBody(request.body);
      if (body === undefined)
        return { answer: toInvalid("The request body is not valid JSON"), postId: null };
      const parsed = parseMessagesRequest(body);
      if ("problem" in parsed) return { answer: toInvalid(parsed.problem), postId: null };
      if (!parsed.model.startsWith("claude-")) {
        const answer = toAnthropicError(404, "not_found_error", `model: ${parsed.model}`);
        return { answer, postId: null };
      }
      const prompt = toFirstPrompt(parsed);
      return { answer: toMessage(parsed, prompt), postId: findPost(posts, prompt) };
    },
  };
}

function toInvalid(message: string): Answer {
  return toAnthropicError(400, "invalid_request_error", message);
}

function checkHeaders({ method, headers }: SandboxRequest): Answer | null {
  if (method !== "POST")
    return toAnthropicError(405, "invalid_request_error", "Method Not Allowed");
  const bearer = /^Bearer\s+\S/i.test(headers.authorization ?? "");
  const key = headers["x-api-key"] ?? "";
  if (!bearer && key.length === 0) {
    return toAnthropicError(401, "authentication_error", "x-api-key header is required");
  }
  const version = headers["anthropic-version"];
  if (typeof version !== "string") return toInvalid("anthropic-version: header is required");
  if (!/^\d{4}-\d{2}-\d{2}$/.test(version)) {
    return toInvalid(`anthropic-version: "${version}" is not a valid version`);
  }
  return null;
}

type Content = MessagesRequest["messages"][number]["content"];

function toText(content: Content): string {
  return typeof content === "string" ? content : content.map(({ text }) => text).join("\n");
}

/** The evidence stands in the first turn; a later one only says what was wrong with the answer. */
function toFirstPrompt({ messages }: MessagesRequest): string {
  return toText(messages[0]?.content ?? "");
}

/** By the post's title, else by a creator who has one post only. */
function findPost(posts: readonly SamplePost[], prompt: string): string | null {
  const titled = posts.find(({ title }) => title !== null && prompt.includes(title));
  if (titled !== undefined) return titled.id;
  const named = posts.filter(({ creator }) => prompt.includes(creator.uniqueId));
  return named.length === 1 ? (named[0]?.id ?? null) : null;
}

function toMessage(request: MessagesRequest, prompt: string): Answer {
  const evidence = toEvidencePhrases(prompt);
  const schema = request.output_config?.format?.schema;
  const text =
    schema === undefined
      ? evidence.phrases.slice(0, 2).join(" ") || "There is nothing to say."
      : JSON.stringify(toSchemaAnswer(schema, evidence));
  const thinks = request.thinking?.type !== "disabled";
  const thinkingTokens = thinks ? THINKING_TOKENS : 0;
  const textTokens = Math.max(0, request.max_tokens - thinkingTokens);
  const fits = toTokens(text) <= textTokens;
  // Where thinking is on, the text is the second block.
  const thinking = thinks ? [{ type: "thinking", thinking: "", signature: "sandbox" }] : [];
  const sent = fits ? text : text.slice(0, textTokens * CHARS_PER_TOKEN);
  return toJsonAnswer(
    {
      id: `msg_sandbox_${randomUUID()}`,
      type: "message",
      role: "assistant",
      model: request.model,
      content: [...thinking, { type: "text", text: sent, citations: null }],
      stop_reason: fits ? "end_turn" : "max_tokens",
      stop_sequence: null,
      stop_details: null,
      container: null,
      usage: toUsage(request, toTokens(sent) + thinkingTokens, thinkingTokens),
    },
    { headers: { "request-id": newAnthropicRequestId() } },
  );
}

function toTokens(text: string): number {
  return Math.ceil(text.length / CHARS_PER_TOKEN);
}

function toUsage(request: MessagesRequest, outputTokens: number, thinkingTokens: number): object {
  const input = [
    toText(request.system ?? ""),
    ...request.messages.map(({ content }) => toText(content)),
    JSON.stringify(request.output_config?.format?.schema ?? ""),
  ];
  return {
    input_tokens: toTokens(input.join("\n")),
    output_tokens: outputTokens,
    output_tokens_details: { thinking_tokens: thinkingTokens },
    cache_creation: null,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    server_tool_use: null,
    service_tier: "standard",
  };
}
