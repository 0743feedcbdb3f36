import { ERROR_CODES, type ErrorCode, isErrorCode } from "@clipmill/domain";
import type { Fault, PlantedPost } from "@clipmill/sandbox";
import type { CaseMedia } from "./case-media.ts";
import { BAD_CASES, type MixedCase, toGoodCases } from "./cases.ts";

export interface PlantedCase {
  of: MixedCase;
  /** Nothing is wrong with it; its faults are the noise alone. */
  isGood: boolean;
  post: PlantedPost;
  /** What its request names. */
  link: string;
}

const FIRST_ID = 7_600_000_000_000_000_000n;

/** Half good posts and half bad ones, all cases in turn. */
export function plantMix(count: number, media: CaseMedia, forbidden: string): PlantedCase[] {
  const halves = [toGoodCases(media), BAD_CASES];
  return Array.from({ length: count }, (_, number) => {
    const cases = halves[number % 2] ?? BAD_CASES;
    const of = cases[(number >> 1) % cases.length];
    if (of === undefined) throw new Error("there are no cases");
    const id = String(FIRST_ID + BigInt(number));
    const planted = of.plant({ id, number, media, forbidden });
    // The first that fires counts, so what the case is about goes first.
    const faults = [...planted.faults, ...toNoise(of, id)];
    return {
      of,
      isGood: number % 2 === 0,
      post: { ...planted, id, faults },
      link:
        of.byShortLink === true
          ? `https://vm.tiktok.com/ZT${id}/`
          : `https://www.tiktok.com/@ada/video/${id}`,
    };
  });
}

/** Five kinds on the CDN and four elsewhere make a fifth of all requests. */
const RATE = 0.065;

/**
 * What hits any post on top of its case. What costs an attempt each time is bounded, at two of the five that a
 * download has: an upstream that failed more often would make `upstream_unavailable` the true end. Refused links are
 * not, since one alone costs none, and they must not pass for a region lock. For the same reason none of it hits
 * a post whose case fails each attempt: which code the last one ends with would be chance.
 */
function toNoise({ expect, hasCaptions }: MixedCase, postId: string): Fault[] {
  // Captions that cannot be read leave the words to recognition: there the origin would be chance.
  const match = hasCaptions === true ? { postId, route: "post-detail" as const } : { postId };
  const waits: Fault[] = [
    { kind: "rate-limited", match, rate: RATE, retryAfterS: 0.1 },
    { kind: "slow-drip", match, rate: RATE, intervalMs: 10 },
  ];
  const code = expect.replace(/^failed: /, "");
  if (isErrorCode(code) && isRetryable(code)) return waits;
  return [
    ...waits,
    { kind: "server-error", match, rate: RATE, times: 1 },
    { kind: "truncated", match, rate: RATE, times: 1 },
    ...(hasCaptions === true ? [] : [{ kind: "expired-link", match, rate: RATE } as const]),
  ];
}

function isRetryable(code: ErrorCode): boolean {
  return ERROR_CODES[code].disposition === "retryable";
}
