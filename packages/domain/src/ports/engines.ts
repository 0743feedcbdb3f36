import type { EngineId } from "../engine-id.ts";
import type { EvidenceSource } from "../artifacts/answer.ts";
import type { Summary } from "../artifacts/summary.ts";
import type { Sha256 } from "../ids.ts";
import type { Unread } from "../post/media.ts";
import type { Engagement } from "../post/post.ts";
import type { Segment } from "../artifacts/transcript.ts";
import type { WaitOptions } from "./media.ts";

/** Speech recognition. */
export interface AsrProvider {
  readonly id: EngineId;
  /** Whether it can hear this language; null is "not known". Where it cannot, the recipe's next engine is asked. */
  supports(language: string | null): boolean;
  /** Dollars for a clip of this length; 0 for what runs here. */
  estimateUsd(durationMs: number): number;
  /** Longest that one recognition takes, in ms: it ends by itself then. The stage waits for as long. Default: 10 min. */
  readonly limitMs?: number;
  /**
   * Throws RetryableError `engine_failed` when the engine crashes; UnrecoverableError `unsupported` for a language that
   * it does not support, and `invalid_answer` for an answer that was paid for and cannot be read. No words is an empty
   * list, not an error. An abort rejects with the signal's reason, child gone.
   */
  transcribe(audio: AsrInput, options: { signal: AbortSignal }): Promise<AsrOutput>;
  /**
   * Reads what `transcribe` is going to need, so that the call that it returns, made once, does nothing but ask: whoever
   * waits for a GPU does this before. Throws as `transcribe` does. Default: there is nothing to read.
   */
  prepare?(
    audio: AsrInput,
    options: { signal: AbortSignal },
  ): Promise<(options: { signal: AbortSignal }) => Promise<AsrOutput>>;
}

export interface AsrInput {
  /** 16 kHz mono WAV. */
  wavPath: string;
  mediaSha256: Sha256;
  durationMs: number;
  /** The caller's hint; null lets the engine decide. */
  language: string | null;
}

export interface AsrOutput {
  /** BCP-47 primary tag; null where the engine does not tell. */
  language: string | null;
  /** In order, without overlap, each with text. */
  segments: Segment[];
  /** The engine itself says that what it wrote down is no speech. Default: it does not. */
  saidNoSpeech?: boolean;
  usd: number;
}

/** Reads text in a picture. */
export interface OcrProvider {
  readonly id: EngineId;
  /**
   * Lines from top to bottom; none is an empty list. Throws UnrecoverableError `corrupt_media` for what is no picture,
   * RetryableError `engine_failed` when the engine crashes.
   */
  readLines(imagePath: string, options: ReadLinesOptions): Promise<string[]>;
}

export interface ReadLinesOptions extends WaitOptions {
  /** Told where there seems to be text that the engine cannot read, such as one in another script. Default: nobody is. */
  onUnread?(): void;
}

/** Everything that a summary may rest on. All of it is untrusted text. */
export interface Evidence {
  creator: string | null;
  /** null means unknown. */
  followerCount: number | null;
  engagement: Engagement;
  musicTitle: string | null;
  musicAuthor: string | null;
  title: string;
  /** null where the post is silent. */
  transcript: string | null;
  screenLines: string[];
  sources: EvidenceSource[];
  /** What is there, or may be, and was not read. Default: nothing. */
  unread?: readonly Unread[];
}

/** Answers a question about a post: a model, or a rule. */
export interface SummaryProvider {
  readonly id: EngineId;
  estimateUsd(question: SummaryQuestion): number;
  /** The answer satisfies `Summary`: it was checked, and repaired at most once. */
  summarize(question: SummaryQuestion, options: { signal: AbortSignal }): Promise<SummaryOutput>;
}

export interface SummaryQuestion {
  /** Instructions; trusted. */
  system: string;
  /** The part of the instructions that an answer may repeat, because it asks for that. Default: none. */
  mayQuote?: string;
  /** The evidence as delimited data; untrusted. */
  user: string;
  evidence: Evidence;
}

export interface SummaryOutput {
  summary: Summary;
  usd: number;
  inputTokens: number;
  outputTokens: number;
}
