/** A piece of the prompt and the name under which it stood there: a tag, a `Label:` or a JSON key. */
interface Piece {
  label: string;
  text: string;
}

/** What a stand-in for a model has to say: phrases that really stand in the evidence, the best first. */
export interface EvidencePhrases {
  phrases: string[];
  /** False where nobody speaks in the post. */
  spoken: boolean;
}

const MIN_PHRASE_WORDS = 3;
const MAX_PHRASE_WORDS = 12;
const RANKS: readonly RegExp[] = [
  /transcript|speech|spoken|words/i,
  /ocr|screen/i,
  /title|description/i,
  /music|sound/i,
];
const COUNTERS = /engagement|plays|likes|comments|shares|followers|counts?$/i;
const EMPTY = /^\W*(?:none|empty|unknown|null|n\/a|silent)?\W*$/i;

/**
 * Reads a prompt as data: tags, labelled lines or JSON. It looks for text to quote and cannot follow what the text
 * says, so an instruction in a transcript is at most quoted.
 */
export function toEvidencePhrases(prompt: string): EvidencePhrases {
  const pieces = toPieces(prompt).filter(
    ({ label, text }) => !COUNTERS.test(label) && !EMPTY.test(text),
  );
  const labelled = pieces.filter(({ label }) => label !== "");
  const ranked = (labelled.length > 0 ? labelled : pieces)
    .map((piece) => ({ ...piece, rank: toRank(piece.label) }))
    .sort((a, b) => a.rank - b.rank);
  const phrases = [...new Set(ranked.flatMap(({ text }) => toPhrases(text)))];
  // A greeting or a name says nothing; it is taken only where there is nothing else.
  const telling = phrases.filter((phrase) => phrase.split(" ").length >= MIN_PHRASE_WORDS);
  return {
    phrases: telling.length > 0 ? telling : phrases,
    spoken: ranked.some(({ rank }) => rank === 0),
  };
}

function toRank(label: string): number {
  const rank = RANKS.findIndex((pattern) => pattern.test(label));
  return rank === -1 ? RANKS.length : rank;
}

/**
 * The prompt is JSON only as a whole, or as the whole content of its one tag: JSON anywhere else is what somebody says
 * in the post.
 */
function toPieces(prompt: string): Piece[] {
  const framed = /^[^<]*<([\w-]+)[^<>]*>([^]*)<\/\1>[^<]*$/.exec(prompt)?.[2];
  const json = tryParse(framed ?? prompt);
  return typeof json === "object" ? flatten("", json) : toMarkedPieces(prompt);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function flatten(label: string, value: unknown): Piece[] {
  if (typeof value === "string") return [{ label, text: value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(Array.isArray(value) ? label : key, inner),
  );
}

/** `<tag>` opens a label until it is closed; `Label: text` is one for its line. */
function toMarkedPieces(prompt: string): Piece[] {
  const pieces: Piece[] = [];
  const open: string[] = [];
  for (const part of prompt.split(/(<\/?[a-z][^<>]*>|\n)/i)) {
    const tag = /^<(\/?)([\w-]+)/.exec(part);
    if (tag !== null) {
      if (tag[1] === "/") open.pop();
      else open.push(tag[2] ?? "");
      continue;
    }
    const line = /^\s*(?:[-*]\s*)?([A-Za-z][\w ()-]{0,30}):\s+(.*)$/.exec(part);
    const inner = line?.[1] ?? "";
    const label = [open.at(-1) ?? "", inner].filter(Boolean).join(" ");
    pieces.push({ label, text: unescapeXml(line?.[2] ?? part) });
  }
  return pieces;
}

function unescapeXml(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}

/** Sentences; where there is no punctuation, as in pocketsphinx's words, runs of twelve words. */
function toPhrases(text: string): string[] {
  return text
    .split(/(?<=[.!?])\s+|\n+/)
    .flatMap((sentence) => {
      const words = sentence.trim().split(/\s+/);
      const runs = Math.ceil(words.length / MAX_PHRASE_WORDS);
      return Array.from({ length: runs }, (_, i) =>
        words.slice(i * MAX_PHRASE_WORDS, (i + 1) * MAX_PHRASE_WORDS).join(" "),
      );
    })
    .filter((phrase) => /\p{L}{2}/u.test(phrase));
}
