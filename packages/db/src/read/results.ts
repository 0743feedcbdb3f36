import {
  type Cost,
  type Engagement,
  type EvidenceSource,
  isSimulated,
  type Post,
  type PostResult,
  type Segment,
  type SpeechVerdict,
  type Summary,
  toAttribution,
  toAuthorUrl,
  toAwemeId,
  toSeconds,
  type Warning,
} from "@clipmill/domain";

/** A post with its artifacts, as one row of SQL: see `selectArtifacts`. */
export interface ArtifactRow extends Engagement {
  postId: string;
  url: string | null;
  author: string | null;
  source: string;
  statedDurationMs: number;
  mediaDurationMs: number | null;
  language: string | null;
  text: string | null;
  segments: Segment[] | null;
  verdict: SpeechVerdict | null;
  asrEngine: string | null;
  lines: string[] | null;
  ocrEngine: string | null;
  summary: Summary | null;
  sources: EvidenceSource[] | null;
  llmEngine: string | null;
}

/**
 * An answer is shared by all transcripts of the same words. Whether they were captions or heard is a matter of the
 * transcript that stands beside it.
 */
const SOURCES = `case
  when t.hash is distinct from a.transcript_hash then a.sources
  when t.origin = 'captions' then array_replace(a.sources, 'transcript', 'captions')
  else array_replace(a.sources, 'captions', 'transcript') end`;

/** Selects an `ArtifactRow` but for its `postId` from `post p`, given the keys of the transcript, screen text and answer. */
export function selectArtifacts(keys: { transcript: string; screenText: string; answer: string }): {
  columns: string;
  /** One text that is another one after any change of what the columns hold: which version of each row it is. */
  version: string;
  joins: string;
} {
  return {
    version:
      "format('%s.%s.%s.%s.%s.%s', p.xmin, m.duration_ms, t.xmin, s.xmin, a.xmin, e.version)",
    columns: `p.url, p.author_unique_id as "author", p.source, p.duration_ms as "statedDurationMs",
      m.duration_ms as "mediaDurationMs", t.language, t.text, t.segments, t.verdict, t.engine as "asrEngine",
      s.lines, s.engine as "ocrEngine", a.body as "summary", ${SOURCES} as "sources", a.engine as "llmEngine",
      e.plays, e.likes, e.comments, e.shares`,
    joins: `left join lateral (
        select max(m.duration_ms) as duration_ms from post_media pm join media m on m.sha256 = any (array[pm.media_sha256])
        where pm.post_id = any (array[p.post_id])) m on true
      left join transcript t on t.key = any (array[${keys.transcript}])
      left join screen_text s on s.key = any (array[${keys.screenText}])
      left join answer a on a.key = any (array[${keys.answer}])
      left join lateral (
        select xmin as version, * from engagement where post_id = p.post_id order by observed_at desc limit 1) e on true`,
  };
}

/** What belongs to the request that asks, not to the post. */
export interface RequestShare {
  cached: boolean;
  usdByStage: Record<string, number>;
  timingsMs: Record<string, number>;
  warnings: Warning[];
}

/** The answer to a read that caused no work. */
export const READ_SHARE: RequestShare = {
  cached: true,
  usdByStage: {},
  timingsMs: {},
  warnings: [],
};

/** Composes the public result; the one place where rows become its JSON. */
export function toPostResult(row: ArtifactRow, share: RequestShare): PostResult {
  const post: Pick<Post, "author" | "url"> = {
    url: row.url,
    author: { uniqueId: row.author, nickname: null, followerCount: null },
  };
  const engines = {
    download: row.source,
    transcribe: row.asrEngine,
    "read-screen": row.ocrEngine,
    summarize: row.llmEngine,
  };
  return {
    aweme_id: toAwemeId(row.postId),
    url: row.url,
    author: row.author,
    author_url: toAuthorUrl(row.author),
    attribution: toAttribution(post),
    language: row.language,
    duration: toSeconds(row.mediaDurationMs ?? row.statedDurationMs),
    transcript: row.text ?? "",
    segments: (row.segments ?? []).map(({ startMs, endMs, text }) => ({
      start: toSeconds(startMs),
      end: toSeconds(endMs),
      text,
    })),
    ocr: row.lines ?? [],
    summary: row.summary === null ? null : toSummary(row.summary),
    engagement: { plays: row.plays, likes: row.likes, comments: row.comments, shares: row.shares },
    sources: row.sources ?? [],
    models: { source: row.source, asr: row.asrEngine, ocr: row.ocrEngine, llm: row.llmEngine },
    cost: toCost(share),
    timings_ms: share.timingsMs,
    cached: share.cached,
    simulated: Object.entries(engines).flatMap(([stage, engine]) =>
      engine !== null && isSimulated(engine) ? [stage] : [],
    ),
    warnings: share.warnings,
  };
}

export function toCost({ usdByStage }: Pick<RequestShare, "usdByStage">): Cost {
  const sum = Object.values(usdByStage).reduce((total, usd) => total + usd, 0);
  return { usd: toUsd(sum), by_stage: usdByStage };
}

/** jsonb keeps no order of keys; readers like the sentence first. */
function toSummary({ tldr, takeaways, sentiment, cta }: Summary): Summary {
  return { tldr, takeaways, sentiment, cta };
}

/** Nine decimals, as the ledger keeps them: sums of binary fractions carry noise behind that. */
export function toUsd(usd: number): number {
  return Number(usd.toFixed(9));
}
