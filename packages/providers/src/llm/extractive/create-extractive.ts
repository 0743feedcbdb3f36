import {
  ERROR_CODES,
  type ErrorCode,
  type Evidence,
  type Summary,
  type SummaryProvider,
  toEngineId,
} from "@clipmill/domain";
import { selectPieces, toContentWords, toFirstWords, toPieces, toPlain } from "./pieces.ts";
import { judgeSentiment } from "./sentiment.ts";

export const EXTRACTIVE_ID = toEngineId("extractive", { model: "v1" });

/**
 * Answers without a model: it quotes sentences and clauses of the evidence and adds true statements about the
 * metadata where there are too few. The same evidence always gives the same answer.
 */
export function createExtractive(): SummaryProvider {
  return {
    id: EXTRACTIVE_ID,
    estimateUsd: () => 0,
    async summarize(question, { signal }) {
      signal.throwIfAborted();
      return { summary: toSummary(question.evidence), usd: 0, inputTokens: 0, outputTokens: 0 };
    },
  };
}

const TLDR_WORDS = 25;
const TAKEAWAY_WORDS = 20;
const CTA_WORDS = 15;
const MIN_TAKEAWAYS = 3;
const MAX_TAKEAWAYS = 5;

function toSummary(evidence: Evidence): Summary {
  const speech = toPieces(evidence.transcript ?? "");
  const screen = evidence.screenLines.flatMap(toPieces);
  const title = toPieces(evidence.title);
  const spoken = [...speech, ...screen, ...title];
  return {
    tldr: toFirstWords(toTldr(evidence, speech, screen), TLDR_WORDS),
    takeaways: toTakeaways(evidence, speech, screen),
    sentiment: judgeSentiment(spoken.join("\n")),
    cta: toFirstWords(toCta(evidence, spoken), CTA_WORDS),
  };
}

function toTldr(evidence: Evidence, speech: readonly string[], screen: readonly string[]): string {
  const [best] = selectPieces(speech, 1);
  if (best !== undefined) return best;
  const unread = toUnread(evidence.unread ?? []);
  if (screen.length > 0) return `${unread}On screen: ${screen.join(" / ")}`;
  const [statement] = toStatements(evidence);
  if (unread !== "") return `Metadata only. ${unread}${statement}`;
  return `Metadata only, no speech or on-screen text. ${statement}`;
}

const PARTS = { sound: "speech", video: "on-screen text", pictures: "on-screen text" } as const;
const REASON_WORDS = 9;

/** What was not read and why, such as `Not read: speech (the video is not served in this region). `; empty for nothing. */
function toUnread(unread: NonNullable<Evidence["unread"]>): string {
  const reasons = new Map<ErrorCode, Set<string>>();
  for (const { part, code } of unread) {
    const parts = reasons.get(code) ?? new Set();
    reasons.set(code, parts.add(PARTS[part]));
  }
  if (reasons.size === 0) return "";
  const notes = [...reasons].map(
    ([code, parts]) => `${[...parts].join(" and ")} (${toReason(code)})`,
  );
  return `Not read: ${notes.join(", ")}. `;
}

/** Said of a file, the title of the code would be of a link, too, and too long. */
const REASONS: Readonly<Partial<Record<ErrorCode, string>>> = {
  unsupported: "it is in a codec that cannot be decoded",
  unread_text: "its script may be one that the engine does not know",
  no_ocr_engine: "no engine that reads it is installed",
};

function toReason(code: ErrorCode): string {
  const reason = REASONS[code];
  if (reason !== undefined) return reason;
  return toFirstWords(
    ERROR_CODES[code].title.replace(/\.$/, "").replace(/^[A-Z](?=[a-z])/, toLower),
    REASON_WORDS,
  );
}

function toLower(letter: string): string {
  return letter.toLowerCase();
}

function toTakeaways(
  evidence: Evidence,
  speech: readonly string[],
  screen: readonly string[],
): string[] {
  const quotes = unique([
    ...selectPieces(unique(speech), MAX_TAKEAWAYS),
    ...selectPieces(unique(screen), MAX_TAKEAWAYS),
  ]).slice(0, MAX_TAKEAWAYS);
  const statements = toStatements(evidence).slice(0, Math.max(0, MIN_TAKEAWAYS - quotes.length));
  return [...quotes, ...statements].map((takeaway) => toFirstWords(takeaway, TAKEAWAY_WORDS));
}

/** True statements about the metadata: what is known first, then what is not. Always at least three. */
function toStatements(evidence: Evidence): string[] {
  const title = toPlain(evidence.title);
  const creator = toHandle(evidence.creator);
  const music = toPlain(evidence.musicTitle ?? "");
  const musician = toPlain(evidence.musicAuthor ?? "");
  const { plays, likes } = evidence.engagement;
  const known = [
    title !== "" && `Title: ${title}`,
    music !== "" && (musician === "" ? `Music: ${music}` : `Music: ${music} by ${musician}`),
    creator !== "" && `Posted by ${creator}`,
    evidence.followerCount !== null && `Followers of the creator: ${evidence.followerCount}`,
    plays !== null && `Plays: ${plays}`,
    likes !== null && `Likes: ${likes}`,
  ];
  const unknown = [
    title === "" && "The post has no title",
    music === "" && "The music is not named",
    creator === "" && "The creator is not named",
  ];
  return [...known, ...unknown].filter((statement) => statement !== false);
}

const CALL =
  /\b(follow|subscribe|comment below|link in (my )?bio|save this|share this|sign up|download|check out|tag a|try (it|this)|order now|shop now)\b/i;

/** The post's own call where it has one; else an invitation made of its most frequent words, or of its creator. */
function toCta({ creator }: Evidence, pieces: readonly string[]): string {
  for (const piece of pieces) {
    const call = CALL.exec(piece);
    if (call !== null) return piece.split(" ").length > CTA_WORDS ? piece.slice(call.index) : piece;
  }
  const [first, second] = toFrequentWords(pieces);
  if (first !== undefined) {
    return `Watch the post for more about ${second === undefined ? first : `${first} and ${second}`}`;
  }
  const handle = toHandle(creator);
  return handle === "" ? "Watch the original post" : `See more posts by ${handle}`;
}

function toHandle(creator: string | null): string {
  const name = toPlain(creator ?? "").replace(/^@+/, "");
  return name === "" ? "" : `@${name}`;
}

function toFrequentWords(pieces: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const word of pieces.flatMap(toContentWords)) counts.set(word, (counts.get(word) ?? 0) + 1);
  // Sorting is stable, so equal counts stay in order of appearance.
  return [...counts].sort(([, a], [, b]) => b - a).map(([word]) => word);
}

function unique(texts: readonly string[]): string[] {
  return [
    ...new Map(texts.toReversed().map((text) => [text.toLowerCase(), text])).values(),
  ].reverse();
}
