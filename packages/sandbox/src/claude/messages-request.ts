import { z } from "zod";

const CacheControl = z.strictObject({
  type: z.literal("ephemeral"),
  ttl: z.enum(["5m", "1h"]).optional(),
});

/** The stand-in reads text only; a request with images or tools is refused rather than answered wrongly. */
const TextBlock = z.strictObject({
  type: z.literal("text"),
  text: z.string().min(1, "text content blocks must be non-empty"),
  cache_control: CacheControl.nullish(),
});
const Content = z.union([
  z.string().min(1, "text content must be non-empty"),
  z.array(TextBlock).min(1),
]);

/** A JSON schema in the part of the language that structured output compiles. */
export interface OutputSchema {
  readonly [keyword: string]: unknown;
}

const UNSUPPORTED_KEYWORDS = (
  "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf " +
  "minLength maxLength maxItems uniqueItems oneOf"
).split(" ");

const Schema = z.record(z.string(), z.unknown()).superRefine((schema, context) => {
  const problem = findSchemaProblem(schema);
  if (problem !== null) context.addIssue({ code: "custom", message: problem });
});

/** As strict as the real API about unknown names, and about sampling parameters, which it no longer takes. */
const MessagesRequest = z.strictObject({
  model: z.string().min(1),
  max_tokens: z.number().int().min(1),
  messages: z
    .array(z.strictObject({ role: z.enum(["user", "assistant"]), content: Content }))
    .min(1),
  system: z.union([z.string(), z.array(TextBlock)]).optional(),
  output_config: z
    .strictObject({
      effort: z.enum(["low", "medium", "high", "xhigh", "max"]).nullish(),
      format: z.strictObject({ type: z.literal("json_schema"), schema: Schema }).nullish(),
    })
    .optional(),
  thinking: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("disabled") }),
      z.strictObject({ type: z.literal("adaptive"), display: z.string().nullish() }),
      z.strictObject({
        type: z.literal("enabled"),
        budget_tokens: z.number().int().min(1024),
        display: z.string().nullish(),
      }),
    ])
    .optional(),
  metadata: z.strictObject({ user_id: z.string().nullish() }).optional(),
  service_tier: z.enum(["auto", "standard_only"]).optional(),
  stop_sequences: z.array(z.string()).optional(),
  stream: z.literal(false, "the sandbox does not stream").optional(),
  cache_control: CacheControl.nullish(),
});
export type MessagesRequest = z.infer<typeof MessagesRequest>;

/** The request, or what the API would complain about first. */
export function parseMessagesRequest(body: unknown): MessagesRequest | { problem: string } {
  const parsed = MessagesRequest.safeParse(body);
  if (!parsed.success) return { problem: toProblem(parsed.error.issues[0]) };
  const { messages } = parsed.data;
  if (messages[0]?.role !== "user") {
    return { problem: 'messages: first message must use the "user" role' };
  }
  if (messages.at(-1)?.role !== "user") {
    return {
      problem:
        "This model does not support assistant message prefill. The conversation must end with a user message.",
    };
  }
  return parsed.data;
}

function toProblem(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return "invalid request";
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return `${[path, issue.keys[0]].filter(Boolean).join(".")}: Extra inputs are not permitted`;
  }
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) {
    return `${path}: Field required`;
  }
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

function findSchemaProblem(schema: unknown): string | null {
  if (typeof schema !== "object" || schema === null) return null;
  if (Array.isArray(schema)) return firstProblem(schema);
  const node = schema as OutputSchema;
  if (node["type"] === "object" && node["additionalProperties"] !== false) {
    return "For 'object' type, 'additionalProperties' must be explicitly set to false";
  }
  const unsupported = UNSUPPORTED_KEYWORDS.find((keyword) => keyword in node);
  if (unsupported !== undefined) {
    return `For '${String(node["type"])}' type, property '${unsupported}' is not supported`;
  }
  if (Number(node["minItems"] ?? 0) > 1) {
    return "For 'array' type, 'minItems' values other than 0 or 1 are not supported";
  }
  // Under `properties` and `$defs` the keys are names of the caller's, not keywords.
  const { properties, $defs, ...keywords } = node;
  return firstProblem([
    ...Object.values(properties ?? {}),
    ...Object.values($defs ?? {}),
    ...Object.values(keywords),
  ]);
}

function firstProblem(schemas: readonly unknown[]): string | null {
  for (const schema of schemas) {
    const problem = findSchemaProblem(schema);
    if (problem !== null) return problem;
  }
  return null;
}
