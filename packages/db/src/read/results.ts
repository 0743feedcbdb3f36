import {
  type ArtifactFields,
  type Cost,
  type EngineListing,
  type FoundParts,
  isSimulated,
  type Models,
  type PostResult,
  type ResultPart,
  SOURCE_LISTING,
  toAttribution,
  toAuthorUrl,
  toAwemeId,
  toSeconds,
  type Warning,
} from "@clipmill/domain";
import type { ArtifactTable } from "../artifacts/artifact-table.ts";
import type { engagement, post } from "../schema/index.ts";
import { createPartsQuery, type Parts } from "./result-parts.ts";

/** What a result needs of the post itself. */
type PostColumns = Pick<
  typeof post.$inferSelect,
  "postId" | "url" | "authorUniqueId" | "source" | "durationMs"
> &
  Pick<typeof engagement.$inferSelect, "plays" | "likes" | "comments" | "shares"> & {
    /** The duration of its media; null if it has none. */
    mediaDurationMs: number | null;
  };

/** A post with its artifacts, as one row of SQL: the columns of a `ResultQuery`. */
export interface ResultRow extends PostColumns {
  /** Columns of the artifacts. */
  [column: string]: unknown;
}

/** Selects a `ResultRow`, apart from its `postId`, from `post p`, and makes the public result of it. */
export interface ResultQuery {
  columns: string;
  /** SQL: a text that changes whenever the columns change, made of the versions (`xmin`) of the rows. */
  version: string;
  joins: string;
  toResult(row: ResultRow, share: RequestShare): PostResult;
}

/** The part of a result that belongs to the request, not to the post. */
export interface RequestShare {
  cached: boolean;
  usdByStage: Record<string, number>;
  timingsMs: Record<string, number>;
  warnings: Warning[];
}

/** For a read that ran no stage. */
export const READ_SHARE: RequestShare = {
  cached: true,
  usdByStage: {},
  timingsMs: {},
  warnings: [],
};

/** `owner`: the alias of the row whose `artifacts` names them: the post, or a request about it. */
export function createResultQuery(owner: "p" | "r", tables: readonly ArtifactTable[]): ResultQuery {
  const parts = createPartsQuery(owner, tables);
  const versions = ["p.xmin", "m.duration_ms", ...parts.versions, "e.version"];
  return {
    version: `format('${versions.map(() => "%s").join(".")}', ${versions.join(", ")})`,
    columns: `p.url, p.author_unique_id as "authorUniqueId", p.source, p.duration_ms as "durationMs",
      m.duration_ms as "mediaDurationMs", e.plays, e.likes, e.comments, e.shares,
      ${parts.columns.join(", ")}`,
    joins: `left join lateral (
        select max(m.duration_ms) as duration_ms from post_media pm join media m on m.sha256 = any (array[pm.media_sha256])
        where pm.post_id = any (array[p.post_id])) m on true
      ${parts.joins.join("\n      ")}
      left join lateral (
        select xmin as version, * from engagement where post_id = p.post_id order by observed_at desc limit 1) e on true`,
    toResult: (row, share) => toPostResult(tables, row, parts.read(row), share),
  };
}

/** Makes the public JSON of a result. No other place does. */
function toPostResult(
  tables: readonly ArtifactTable[],
  row: ResultRow,
  parts: Parts,
  share: RequestShare,
): PostResult {
  const { url, authorUniqueId: author } = row;
  const unread: Warning[] = [];
  const { language, sources, ...fields } = toFields(tables, parts, unread);
  return {
    aweme_id: toAwemeId(row.postId),
    url,
    author,
    author_url: toAuthorUrl(author),
    attribution: toAttribution({
      url,
      author: { uniqueId: author, nickname: null, followerCount: null },
    }),
    language,
    duration: toSeconds(row.mediaDurationMs ?? row.durationMs),
    ...fields,
    engagement: { plays: row.plays, likes: row.likes, comments: row.comments, shares: row.shares },
    sources,
    ...toEngines(tables, row.source, parts, share),
    warnings: [...share.warnings, ...unread],
  };
}

/**
 * The fields of all kinds of artifact in `tables`. An artifact that this version cannot read is left out, with a warning:
 * the rest of the result is still good.
 */
function toFields(
  tables: readonly ArtifactTable[],
  parts: Parts,
  unread: Warning[],
): ArtifactFields {
  const find: FoundParts<unknown>["find"] = <Other>({
    name,
  }: {
    readonly name: string;
    readonly result: ResultPart<Other>;
  }) => (parts.get(name)?.own ?? null) as Other | null;
  const fields = {};
  for (const { kind } of tables) {
    const { own = null, variants = {} } = parts.get(kind.name) ?? {};
    const made = orNull(() => kind.result.toFields({ own, variants, find }));
    const isRead = made !== null && kind.result.isValid(made);
    if (!isRead)
      unread.push({
        stage: kind.result.listing.stage,
        code: "internal",
        message: "what is stored cannot be read by this version",
      });
    Object.assign(
      fields,
      isRead ? made : kind.result.toFields({ own: null, variants: {}, find: () => null }),
    );
  }
  return fields as ArtifactFields;
}

/** Null where it throws. */
function orNull<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}

/** Which engines made the result, what they cost, and which were simulated. */
function toEngines(
  tables: readonly ArtifactTable[],
  source: string,
  parts: Parts,
  share: RequestShare,
): Pick<PostResult, "models" | "cost" | "timings_ms" | "cached" | "simulated"> {
  const models: Models = { source: null, asr: null, ocr: null, llm: null };
  const simulated = new Set<string>();
  const list = ({ model, stage }: EngineListing, engine: string) => {
    if (model !== null) models[model] ??= engine;
    if (isSimulated(engine)) simulated.add(stage);
  };
  list(SOURCE_LISTING, source);
  for (const { kind } of tables) {
    const { own = null, variants = {} } = parts.get(kind.name) ?? {};
    const { hasVariants, listing } = kind.result;
    for (const view of hasVariants ? Object.values(variants) : [own])
      if (view !== null) list(listing, view.engine);
  }
  const { timingsMs: timings_ms, cached } = share;
  return { models, cost: toCost(share), timings_ms, cached, simulated: [...simulated] };
}

export function toCost({ usdByStage }: Pick<RequestShare, "usdByStage">): Cost {
  const sum = Object.values(usdByStage).reduce((total, usd) => total + usd, 0);
  return { usd: toUsd(sum), by_stage: usdByStage };
}

/** Rounded to nine decimals, as the ledger stores them: sums of binary fractions have errors after that. */
export function toUsd(usd: number): number {
  return Number(usd.toFixed(9));
}
