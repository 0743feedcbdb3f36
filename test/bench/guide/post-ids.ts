/** What the stand-ins have to offer, each with the digit that its post ids carry. */
export const POST_KINDS = {
  /** 12 s of speech, about 120 kB. */
  short: { digit: 1, seconds: 12 },
  minute: { digit: 2, seconds: 60 },
  long: { digit: 3, seconds: 600 },
  /** Pictures with text, and 9 s of sound without a word. */
  slideshow: { digit: 4, seconds: 9 },
  /** A video with text in the picture, and 9 s of sound without a word. */
  silent: { digit: 5, seconds: 9 },
  /** As `short`, for the posts before those that are measured. */
  warmUp: { digit: 6, seconds: 12 },
} as const;
export type PostKindName = keyof typeof POST_KINDS;

/** The speech server knows sound without words by its length: no post with speech is as short. */
export const WORDLESS_SECONDS = 9;

/** A post id of 19 digits, as TikTok's are, which names its kind and its number. */
export function toPostId(kind: PostKindName, n: number): string {
  return `7${POST_KINDS[kind].digit}${String(n).padStart(17, "0")}`;
}

/** Undefined for what `toPostId` did not make. */
export function parsePostId(id: string): { kind: PostKindName; n: number } | undefined {
  const kind = (Object.keys(POST_KINDS) as PostKindName[]).find(
    (name) => String(POST_KINDS[name].digit) === id[1],
  );
  return kind === undefined || !/^7\d{18}$/.test(id) ? undefined : { kind, n: Number(id.slice(2)) };
}

export function toPostIds(kind: PostKindName, count: number): string[] {
  return Array.from({ length: count }, (_, n) => toPostId(kind, n));
}

export function toPostLink(id: string): string {
  return `https://www.tiktok.com/@bench_creator/video/${id}`;
}
