import { Summary } from "@clipmill/domain";
import { findSummary } from "./find-summary.ts";

export type ParsedAnswer = { summary: Summary } | { problems: string[] };

export interface AnswerContext {
  /** What the model was told to do. */
  instructions: string;
  /** The part of the instructions that an answer may repeat, since it asks for that. */
  mayQuote: string;
  evidence: string;
}

/**
 * The model's text as a checked summary, or what is wrong with it in our own words: the problems go back to the
 * model and into errors, so nothing of the text may be in them.
 */
export function parseAnswer(text: string, context: AnswerContext): ParsedAnswer {
  const found = findSummary(text);
  if (found === undefined) return { problems: ["the answer is not complete JSON"] };
  const parsed = Summary.safeParse(found);
  if (!parsed.success) {
    return {
      problems: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`),
    };
  }
  if (leaks(Object.values(parsed.data).flat().join("\n"), context)) {
    return { problems: ["the answer repeats the instructions instead of describing the post"] };
  }
  return { summary: parsed.data };
}

const RUN_WORDS = 6;

/**
 * Whether six words in a row come from the instructions, and neither from the evidence nor from what the instructions ask an
 * answer to say: a post that talks the model into reciting its prompt gets no answer stored.
 */
function leaks(answer: string, { instructions, mayQuote, evidence }: AnswerContext): boolean {
  const secret = toRuns(instructions);
  const open = new Set([...toRuns(evidence), ...toRuns(mayQuote)]);
  return [...toRuns(answer)].some((run) => secret.has(run) && !open.has(run));
}

function toRuns(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(
    words
      .slice(0, Math.max(0, words.length - RUN_WORDS + 1))
      .map((_, at) => words.slice(at, at + RUN_WORDS).join(" ")),
  );
}
