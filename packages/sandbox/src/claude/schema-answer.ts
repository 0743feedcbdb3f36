import type { EvidencePhrases } from "./evidence-phrases.ts";
import type { OutputSchema } from "./messages-request.ts";

/** The word limits that the summary's prompt sets; everything else gets the middle one. */
const WORD_LIMITS: Readonly<Record<string, number>> = { tldr: 25, takeaways: 20, cta: 15 };
const DEFAULT_WORD_LIMIT = 20;
const ITEMS = 3;
/** Shorter phrases, such as a line on the screen, are whole. */
const MIN_BROKEN_WORDS = 8;
/** Deep enough for any real schema, and an end to a recursive one. */
const MAX_DEPTH = 12;

const GOOD =
  /\b(?:good|great|best|love|fresh|clean|save|cheap|simple|alive|friend|relax|happy)\b/giu;
const BAD = /\b(?:bad|worst|hate|broken|never|angry|sad|awful|expensive|bitter)\b/giu;

/** A value that fits the schema, with phrases of the evidence for its strings. */
export function toSchemaAnswer(schema: OutputSchema, evidence: EvidencePhrases): unknown {
  const next = newPhraseSupply(evidence.phrases);
  const fill = (node: OutputSchema, key: string, depth: number): unknown => {
    if (depth > MAX_DEPTH) return null;
    const chosen = choose(node, schema);
    if (chosen !== node) return fill(chosen, key, depth + 1);
    if ("const" in node) return node["const"];
    if (Array.isArray(node["enum"])) return pickEnum(node["enum"], evidence.phrases);
    switch (toType(node)) {
      case "object":
        return Object.fromEntries(
          Object.entries((node["properties"] ?? {}) as Record<string, OutputSchema>).map(
            ([name, property]) => [name, fill(property, name, depth + 1)],
          ),
        );
      case "array":
        return Array.from({ length: ITEMS }, () =>
          fill((node["items"] ?? { type: "string" }) as OutputSchema, key, depth + 1),
        );
      case "string":
        return toPhrase(key, next, evidence.spoken);
      case "number":
      case "integer":
        return 0;
      case "boolean":
        return false;
      default:
        return null;
    }
  };
  return fill(schema, "", 0);
}

/** Follows a reference and takes the first alternative that is not null. */
function choose(node: OutputSchema, root: OutputSchema): OutputSchema {
  if (typeof node["$ref"] === "string") {
    const definitions = (root["$defs"] ?? {}) as Record<string, OutputSchema>;
    return definitions[node["$ref"].replace("#/$defs/", "")] ?? {};
  }
  if (!Array.isArray(node["anyOf"])) return node;
  const variants = node["anyOf"] as OutputSchema[];
  return variants.find((variant) => variant["type"] !== "null") ?? { type: "null" };
}

function toType(node: OutputSchema): unknown {
  const { type } = node;
  return Array.isArray(type) ? type.find((name) => name !== "null") : type;
}

function pickEnum(values: readonly unknown[], phrases: readonly string[]): unknown {
  const text = phrases.join(" ");
  const good = text.match(GOOD)?.length ?? 0;
  const bad = text.match(BAD)?.length ?? 0;
  const mood =
    good > 0 && bad > 0 ? "mixed" : good > 0 ? "positive" : bad > 0 ? "negative" : "neutral";
  return values.includes(mood) ? mood : values[0];
}

/** One phrase after the other, and from the start again when they run out. */
function newPhraseSupply(phrases: readonly string[]): () => string {
  let at = 0;
  return () => phrases[at++ % phrases.length] ?? "The post says nothing more.";
}

/** Where a sentence does not end: words that were recognised have no full stop, and a phrase of them breaks off anywhere. */
const DANGLING =
  /^(?:a|an|the|and|or|but|so|to|of|in|on|at|by|for|from|with|into|that|this|your|my|his|her|its|our|their|is|are|was|be|if|when|then|as|than|just|very|you|i|we|they)$/i;

/** In a summary, what reads as a sentence, made of a phrase of the evidence and no word more than its frame. */
function toPhrase(key: string, next: () => string, spoken: boolean): string {
  const limit = WORD_LIMITS[key];
  if (limit === undefined) return next().split(" ").slice(0, DEFAULT_WORD_LIMIT).join(" ");
  if (key !== "tldr") return toSentence(next(), limit);
  const frame = spoken ? "The speaker says:" : "No speech, only text:";
  const quote = toSentence(next(), limit - frame.split(" ").length);
  return `${frame} “${quote}”`;
}

/** A capital in front, and at the end a full stop, or an ellipsis where it breaks off. */
function toSentence(phrase: string, limit: number): string {
  const words = phrase.split(" ").slice(0, limit);
  const isWhole = /[.!?…。！？]$/u.test(words.at(-1) ?? "");
  while (!isWhole && words.length > 1 && DANGLING.test(words.at(-1) ?? "")) words.pop();
  const text = words.join(" ").replace(/[,;:–-]+$/u, "");
  const [first = "", ...rest] = text;
  const sentence = [first.toLocaleUpperCase("en"), ...rest].join("");
  if (isWhole) return sentence;
  return words.length < MIN_BROKEN_WORDS ? `${sentence}.` : `${sentence} …`;
}
