import { expect, test } from "vitest";
import { parseMessagesRequest } from "./messages-request.ts";

const GOOD = {
  model: "claude-haiku-5-5",
  max_tokens: 600,
  messages: [{ role: "user", content: "Summarize." }],
};

function toSchema(schema: Record<string, unknown>) {
  return { ...GOOD, output_config: { format: { type: "json_schema", schema } } };
}

test("a plain request, one with blocks and one with a repair turn are accepted", () => {
  const repair = [
    ...GOOD.messages,
    { role: "assistant", content: "{}" },
    { role: "user", content: [{ type: "text", text: "Again." }] },
  ];
  expect(parseMessagesRequest(GOOD)).toEqual(GOOD);
  expect(parseMessagesRequest({ ...GOOD, messages: repair })).not.toHaveProperty("problem");
});

test.each([
  ["a sampling parameter", { ...GOOD, temperature: 0 }, "temperature: Extra inputs"],
  ["a missing limit", { ...GOOD, max_tokens: undefined }, "max_tokens: Field required"],
  ["a limit of nothing", { ...GOOD, max_tokens: 0 }, "max_tokens: "],
  ["no message", { ...GOOD, messages: [] }, "messages: "],
  ["a role of its own", { ...GOOD, messages: [{ role: "tool", content: "x" }] }, "messages.0.role"],
  ["empty text", { ...GOOD, messages: [{ role: "user", content: "" }] }, "messages.0.content"],
  [
    "a conversation that starts with the model",
    { ...GOOD, messages: [{ role: "assistant", content: "x" }, ...GOOD.messages] },
    "first message",
  ],
  [
    "a prefilled answer",
    { ...GOOD, messages: [...GOOD.messages, { role: "assistant", content: "{" }] },
    "prefill",
  ],
  ["a list for a body", [], "expected object"],
  ["an open object", toSchema({ type: "object", properties: {} }), "additionalProperties"],
  ["a length", toSchema({ type: "string", maxLength: 5 }), "maxLength"],
  ["a count", toSchema({ type: "array", minItems: 3, items: { type: "string" } }), "minItems"],
  [
    "a fault deep inside",
    toSchema({
      type: "object",
      additionalProperties: false,
      properties: { list: { type: "array", items: { type: "integer", minimum: 1 } } },
    }),
    "minimum",
  ],
])("%s is refused with the reason", (_what, body, reason) => {
  expect(parseMessagesRequest(body)).toEqual({ problem: expect.stringContaining(reason) });
});

test("a property may be called like a keyword", () => {
  const schema = {
    type: "object",
    additionalProperties: false,
    properties: { minimum: { type: "string" } },
  };
  expect(parseMessagesRequest(toSchema(schema))).not.toHaveProperty("problem");
});
