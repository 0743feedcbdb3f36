import type { Summary } from "@clipmill/domain";

const POSITIVE = new Set(
  `amazing awesome beautiful best better brilliant calm cool cute delicious easy enjoy excellent excited fantastic
  favorite favourite fresh fun funny glad good gorgeous great happy healthy incredible inspiring love loved lovely
  nice perfect pretty proud recommend relaxing satisfying smooth success super sweet tasty thank thanks win winner
  wonderful worth wow yummy`.split(/\s+/),
);
const NEGATIVE = new Set(
  `afraid angry annoying awful avoid bad bored boring broken cry dangerous dead die disappointed disappointing
  disgusting fail failed fake fear hate hated horrible hurt lose lost mistake mistakes nasty pain painful
  poor problem sad scam scared scary sick stupid terrible toxic ugly unfair unhappy upset warning waste worse worst
  wrong`.split(/\s+/),
);
const NEGATOR = /^(no|not|never|hardly|without|cannot|\w+n't|dont|doesnt|isnt|wasnt|cant|wont)$/;
/** One side has to outweigh the other by this much, else the text is mixed. */
const CLEAR_MAJORITY = 2;

/** Counts words of two short English lists; a negator within the two words before turns a word around. */
export function judgeSentiment(text: string): Summary["sentiment"] {
  const words =
    text
      .toLowerCase()
      .replaceAll("’", "'")
      .match(/[\p{L}']+/gu) ?? [];
  let positive = 0;
  let negative = 0;
  for (const [at, word] of words.entries()) {
    if (!POSITIVE.has(word) && !NEGATIVE.has(word)) continue;
    const isNegated = words.slice(Math.max(0, at - 2), at).some((before) => NEGATOR.test(before));
    if (POSITIVE.has(word) !== isNegated) positive++;
    else negative++;
  }
  if (positive + negative === 0) return "neutral";
  if (positive >= CLEAR_MAJORITY * negative) return "positive";
  return negative >= CLEAR_MAJORITY * positive ? "negative" : "mixed";
}
