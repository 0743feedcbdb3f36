import type { z } from "zod";
import {
  ANSWERED_WITHIN_MS,
  type AskReply,
  type Fate,
  REFUSAL,
  toAnswer,
  toFate,
  toToken,
} from "../pipelines/ask.ts";
import type { Delivery, RoundReply } from "../pipelines/round.ts";
import type { Random } from "./random.ts";

type Reply = z.infer<typeof AskReply>;
type Round = z.infer<typeof RoundReply>;
type Answer = z.infer<typeof Delivery>;

/**
 * Whoever is asked outside, and answers when and as often as the question's fate says: to a round of ours, to a route of
 * the API, or never. Who asks again is told the answer once there is one.
 */
export interface AnswerDesk {
  ask(questionId: string): Reply;
  /** The same again for a round that comes again. */
  collect(roundId: string): Round;
  /** What is sent to the API now. */
  takeForApi(): Answer[];
}

interface Way {
  questionId: string;
  at: number;
  to: "round" | "api";
}

/** Many more tokens than anybody waits for: as many as one settlement may resolve. */
const ROUND_MAX = 1_000;
/** One round in so many is filled up. */
const FULL_ROUNDS = 3;
/** Those of questions fit into a job's output. */
const TOKENS_MAX = 60;
/** Of these some are old, and are delivered once more. */
const REPEATED_MAX = 10;

export function createAnswerDesk(random: Random, now: () => number = Date.now): AnswerDesk {
  const readyAt = new Map<string, number>();
  const rounds = new Map<string, Round>();
  const delivered: string[] = [];
  let ways: Way[] = [];
  let nonce = 0;

  function toDelivery(questionId: string): Answer {
    const token = toToken(questionId);
    if (toFate(questionId) === "refused") return { kind: "failed", token, ...REFUSAL };
    // Told apart, so that the second of two answers shows where it replaces the first.
    const output = { id: questionId, token, answer: toAnswer(questionId), nonce: `${nonce++}` };
    return { kind: "done", token, output };
  }

  function take(to: Way["to"], max: number): string[] {
    const due = ways.filter((way) => way.to === to && way.at <= now()).slice(0, max);
    const taken = new Set(due);
    ways = ways.filter((way) => !taken.has(way));
    const ids = due.map(({ questionId }) => questionId);
    delivered.push(...ids);
    return ids;
  }

  function toRound(): Round {
    const again = delivered.length === 0 ? [] : [random.pick(delivered), random.pick(delivered)];
    const ids = [...take("round", TOKENS_MAX - REPEATED_MAX), ...again];
    const unknown = rounds.size % FULL_ROUNDS === 0 ? ROUND_MAX - ids.length : 0;
    const strangers = Array.from({ length: unknown }, (_, i) =>
      toDelivery(`once-unknown-${rounds.size}-${i}`),
    );
    return { tokens: ids.map(toToken), deliveries: [...ids.map(toDelivery), ...strangers] };
  }

  return {
    ask(questionId) {
      const fate = toFate(questionId);
      const ready = readyAt.get(questionId);
      if (ready === undefined) {
        const { readyMs, deliveriesMs } = toTimes(fate, random);
        readyAt.set(questionId, now() + readyMs);
        for (const ms of deliveriesMs) {
          const to = random.next() < 0.5 ? "round" : "api";
          ways.push({ questionId, at: now() + ms, to });
        }
        return { isRefused: false };
      }
      if (now() < ready) return { isRefused: false };
      return fate === "refused"
        ? { isRefused: true }
        : { isRefused: false, answer: toAnswer(questionId) };
    },
    collect(roundId) {
      const round = rounds.get(roundId) ?? toRound();
      rounds.set(roundId, round);
      return round;
    },
    takeForApi: () => take("api", TOKENS_MAX).map(toDelivery),
  };
}

/** When there is an answer, and when it is sent, both since the question came. */
function toTimes(fate: Fate, random: Random): { readyMs: number; deliveriesMs: number[] } {
  const soon = random.between(0, ANSWERED_WITHIN_MS / 2);
  switch (fate) {
    case "once":
    case "refused":
      return { readyMs: soon, deliveriesMs: [soon] };
    case "twice":
      return { readyMs: soon, deliveriesMs: [soon, soon, soon + 500] };
    case "late": {
      const late = ANSWERED_WITHIN_MS + random.between(500, 3_000);
      return { readyMs: late, deliveriesMs: [late, late + 1_000] };
    }
    case "never":
      return { readyMs: soon, deliveriesMs: [] };
  }
}
