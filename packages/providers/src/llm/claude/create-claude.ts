import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import {
  type ClipmillError,
  type EngineId,
  RetryableError,
  Summary,
  type SummaryOutput,
  type SummaryProvider,
  type SummaryQuestion,
  UnrecoverableError,
} from "@clipmill/domain";
import { z } from "zod";
import { createUpstreamFetch } from "../../http/upstream-fetch.ts";
import { refusesParameters, toClaudeError } from "./claude-error.ts";
import { parseAnswer } from "./parse-answer.ts";
import { toUsd } from "./prices.ts";

export interface ClaudeOptions {
  apiKey: string;
  baseUrl: string;
  model: string;
  engine: EngineId;
  /** For one call; a question takes at most two. Default 60 s. */
  timeoutMs?: number;
}

type Params = Anthropic.MessageCreateParamsNonStreaming;

/**
 * Claude by the Messages API with structured output. The schema's limits are not enforced there, so the answer is
 * checked here, sent back once with what is wrong, and then given up as `invalid_answer`. Every error carries in
 * `costUsd` what was billed before it.
 */
export function createClaude(options: ClaudeOptions): SummaryProvider {
  const { model, engine } = options;
  const client = createClient(options);
  const { type, schema } = zodOutputFormat(Summary);

  const { effort, thinking, max_tokens } = toLimits(model);
  // Once the server has refused the schema as a parameter, it stands in the instructions.
  let isPlain = false;
  const toParams = (question: SummaryQuestion, messages: Params["messages"]): Params =>
    isPlain
      ? {
          max_tokens,
          model,
          system: `${question.system}\nThe schema: ${JSON.stringify(schema)}`,
          messages,
        }
      : {
          max_tokens,
          ...(thinking === undefined ? {} : { thinking }),
          model,
          system: question.system,
          messages,
          output_config: { ...effort, format: { type, schema } },
        };

  const estimateUsage = ({ system, user }: SummaryQuestion) => ({
    input_tokens: Math.ceil((system.length + user.length) / CHARS_PER_TOKEN),
    output_tokens: TYPICAL_OUTPUT_TOKENS,
  });
  const estimateUsd = (question: SummaryQuestion): number => toUsd(model, estimateUsage(question));

  async function ask(
    question: SummaryQuestion,
    messages: Params["messages"],
    spent: Spent,
    signal: AbortSignal,
  ): Promise<string> {
    const lostUsd = estimateUsd(question);
    const create = (): Promise<unknown> =>
      client.messages.create(toParams(question, messages), { signal });
    const reply = await create()
      .catch((error: unknown) => {
        if (isPlain || !refusesParameters(error)) throw error;
        isPlain = true;
        return create();
      })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        throw toClaudeError(error, engine, { spentUsd: spent.usd, lostUsd });
      });
    const parsed = Reply.safeParse(reply);
    if (!parsed.success) throw toNoMessage(reply, engine, { spentUsd: spent.usd, lostUsd });
    const usage = parsed.data.usage ?? estimateUsage(question);
    spent.usd += toUsd(model, usage);
    spent.inputTokens += usage.input_tokens;
    spent.outputTokens += usage.output_tokens;
    return toText(parsed.data, engine, spent.usd);
  }

  return {
    id: engine,
    estimateUsd,
    async summarize(question, { signal }): Promise<SummaryOutput> {
      signal.throwIfAborted();
      const spent: Spent = { usd: 0, inputTokens: 0, outputTokens: 0 };
      const asked: Params["messages"] = [{ role: "user", content: question.user }];
      const first = await ask(question, asked, spent, signal);
      const context = {
        instructions: question.system,
        mayQuote: question.mayQuote ?? "",
        evidence: question.user,
      };
      const checked = parseAnswer(first, context);
      if ("summary" in checked) return { ...checked, ...spent };

      const repair = [...asked, ...toRepair(first, checked.problems)];
      const second = await ask(question, repair, spent, signal);
      const repaired = parseAnswer(second, context);
      if ("summary" in repaired) return { ...repaired, ...spent };
      throw new UnrecoverableError(
        "invalid_answer",
        `${engine} gave no valid answer in two tries`,
        {
          upstream: engine,
          costUsd: spent.usd,
          details: { problems: repaired.problems.join("; ").slice(0, 500) },
        },
      );
    },
  };
}

function createClient({ apiKey, baseUrl, timeoutMs = 60_000 }: ClaudeOptions): Anthropic {
  return new Anthropic({
    apiKey,
    // null: what lies in the environment must not take part.
    authToken: null,
    webhookKey: null,
    baseURL: baseUrl,
    timeout: timeoutMs,
    fetch: createUpstreamFetch({ maxBytes: MAX_ANSWER_BYTES, timeoutMs }),
    // The queue is the one retrier.
    maxRetries: 0,
    logLevel: "off",
  });
}

/** A summary has 2 kB; with the thoughts of a model that always thinks, 50 kB. */
const MAX_ANSWER_BYTES = 2_000_000;

/** Text averages 4 characters a token on older models; the tokenizer since 4.7 makes about 30 % more of it. */
const CHARS_PER_TOKEN = 3;
/** A summary has 100 to 200 tokens; this leaves room for a repair. */
const TYPICAL_OUTPUT_TOKENS = 400;

/**
 * Thinking costs more than the answer here, so it is off. Opus 5.5 and the Fable and Mythos models answer 400 to
 * that; they get the lowest effort, and room, since thinking counts against max_tokens.
 */
function toLimits(
  model: string,
): Pick<Params, "thinking" | "max_tokens"> & { effort?: Pick<Anthropic.OutputConfig, "effort"> } {
  return /^claude-(fable|mythos|opus-5-5)/.test(model)
    ? { max_tokens: 8_192, effort: { effort: "low" } }
    : { max_tokens: 1_024, thinking: { type: "disabled" } };
}

interface Spent {
  usd: number;
  inputTokens: number;
  outputTokens: number;
}

/** The part of a message that is read, as loosely as it can be. The SDK checks nothing. */
const Reply = z.object({
  content: z.union([
    z.string().transform((text) => [{ type: "text", text }]),
    z.array(
      z.looseObject({ type: z.string().catch(""), text: z.string().optional().catch(undefined) }),
    ),
  ]),
  stop_reason: z.string().nullish().catch(null),
  stop_details: z.looseObject({ category: z.string().nullish() }).nullish().catch(null),
  // Without it the answer is booked at the estimate: else it would look free.
  usage: z
    .object({
      input_tokens: z.number().nonnegative(),
      output_tokens: z.number().nonnegative(),
      cache_creation_input_tokens: z.number().nullish().catch(null),
      cache_read_input_tokens: z.number().nullish().catch(null),
    })
    .nullish()
    .catch(null),
});

/** A page of a proxy may not come again; what else is no message was paid for, and would be paid for again. */
function toNoMessage(
  reply: unknown,
  upstream: EngineId,
  { spentUsd, lostUsd }: { spentUsd: number; lostUsd: number },
): ClipmillError {
  if (typeof reply === "string" || reply === undefined) {
    return new RetryableError("bad_response", `${upstream} sent a page instead of a message`, {
      upstream,
      costUsd: spentUsd,
    });
  }
  return new UnrecoverableError("invalid_answer", `${upstream} answered no message`, {
    upstream,
    costUsd: spentUsd + lostUsd,
  });
}

/**
 * The text of an answer; the first block may be a thinking one. The stop reason comes first, since a refusal may come
 * with any content. Text that was cut off (`max_tokens`) is returned: it is no valid JSON and goes to repair.
 */
function toText(reply: z.infer<typeof Reply>, engine: EngineId, costUsd: number): string {
  if (reply.stop_reason === "refusal") {
    throw new UnrecoverableError("refused", `${engine} refused to answer`, {
      upstream: engine,
      costUsd,
      details: { category: reply.stop_details?.category ?? null },
    });
  }
  if (reply.stop_reason === "model_context_window_exceeded") {
    throw new UnrecoverableError("invalid_answer", "the evidence is too long for the model", {
      upstream: engine,
      costUsd,
    });
  }
  return reply.content.find(({ type }) => type === "text")?.text ?? "";
}

function toRepair(answer: string, problems: readonly string[]): Params["messages"] {
  return [
    // The API refuses an empty turn.
    { role: "assistant", content: answer.trim() === "" ? "(no text)" : answer.trimEnd() },
    {
      role: "user",
      content: `That answer was not accepted:\n${problems.map((problem) => `- ${problem}`).join("\n")}\nAnswer the same question again, as JSON that fits the schema and these limits.`,
    },
  ];
}
