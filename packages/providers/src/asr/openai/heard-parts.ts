/** Answers by the number of the part, and the error of a part whose answer was paid for and cannot be read. */
export interface HeardParts<Answer> {
  answers: Map<number, Answer>;
  failure: { error: Error; untilMs: number } | null;
}

/** Clips of which parts are kept; the oldest goes first. */
const CLIPS_MAX = 50;

/** For so long an answer that cannot be read is not bought again; after it somebody may have mended the server. */
const FAILURE_MS = 10 * 60_000;

/**
 * What was paid for between the attempts at one clip, in this process's memory: a part is not bought again because a later
 * one failed, nor an answer that cannot be read because the recipe's next engine is busy.
 */
export function createHeardParts<Answer>() {
  const clips = new Map<string, HeardParts<Answer>>();
  return {
    /** Throws what `fail` was told within the last ten minutes. */
    open(clip: string): HeardParts<Answer> {
      const parts = clips.get(clip) ?? { answers: new Map<number, Answer>(), failure: null };
      clips.delete(clip);
      clips.set(clip, parts);
      const [oldest] = clips.keys();
      if (clips.size > CLIPS_MAX && oldest !== undefined) clips.delete(oldest);
      if (parts.failure !== null && parts.failure.untilMs > Date.now()) throw parts.failure.error;
      return parts;
    },
    fail(parts: HeardParts<Answer>, error: Error): void {
      parts.failure = { error, untilMs: Date.now() + FAILURE_MS };
    },
    /** The clip is done with. */
    close(parts: HeardParts<Answer>): void {
      for (const [clip, each] of clips) if (each === parts) clips.delete(clip);
    },
  };
}
