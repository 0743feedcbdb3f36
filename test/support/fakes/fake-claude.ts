import type { ServerResponse } from "node:http";
import { createHttpFake, type FakeRequest, type HttpFake, sendJson } from "./http-fake.ts";

export interface ClaudeRequest {
  model: string;
  system: string;
  messages: { role: string; content: string }[];
  [parameter: string]: unknown;
}

export function parseClaudeRequest({ body }: FakeRequest): ClaudeRequest {
  return JSON.parse(body.toString("utf8")) as ClaudeRequest;
}

export const GOOD_ANSWER = {
  tldr: "A tip for better coffee at home.",
  takeaways: ["Grind the beans fresh.", "Pour hot water.", "Wait."],
  sentiment: "positive",
  cta: "Try it tomorrow.",
};

export type ClaudeTurn = (request: ClaudeRequest, response: ServerResponse) => void;

/** A message of the model with this text; the first block is a thinking one, as newer models send it. */
export function saying(text: string, changes: Record<string, unknown> = {}): ClaudeTurn {
  return (request, response) =>
    sendJson(response, 200, {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: request.model,
      content: [
        { type: "thinking", thinking: "", signature: "s" },
        { type: "text", text },
      ],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 1_000, output_tokens: 100 },
      ...changes,
    });
}

export function failing(
  status: number,
  type: string,
  headers: Record<string, string> = {},
): ClaudeTurn {
  return (_, response) =>
    sendJson(response, status, { type: "error", error: { type, message: "no" } }, headers);
}

/** Answers with the turns in order, the last one for ever. */
export async function createFakeClaude(...turns: ClaudeTurn[]): Promise<HttpFake> {
  let turn = 0;
  return createHttpFake((request, response) => {
    const answer = turns[Math.min(turn++, turns.length - 1)];
    answer?.(parseClaudeRequest(request), response);
  });
}
