import { AwemeId } from "@clipmill/domain";
import { z } from "zod";

/** Everything that the sandbox stands in for, one name per endpoint. */
export const ROUTE_NAMES = [
  "post-detail",
  "user-posts",
  "userinfo-by-username",
  "post-comments",
  "post-comment-replies",
  "download-video",
  "cdn",
  "short-link",
  "messages",
  "transcriptions",
] as const;
export const RouteName = z.enum(ROUTE_NAMES);
export type RouteName = z.infer<typeof RouteName>;

const TIKLIVE = ROUTE_NAMES.slice(0, 6);
const ANY: readonly RouteName[] = ROUTE_NAMES;

/** What can go wrong, and on which routes it makes sense. */
const FAULT_ROUTES = {
  /** 429 with Retry-After. */
  "rate-limited": ANY,
  /** `status`, 503 by default. */
  "server-error": ANY,
  /** Accepts and never answers, until the caller hangs up or the sandbox closes. */
  timeout: ANY,
  /** The right answer in 50 pieces, `intervalMs` apart: no idle timer sees it, a total one does. */
  "slow-drip": ANY,
  /** Announces the whole length, sends half of it and hangs up. */
  truncated: ANY,
  /** 403 with the page of a firewall. */
  blocked: TIKLIVE,
  /** 200 with an HTML page. */
  html: ANY,
  /** The API's bare message about the key, or 401. */
  "bad-key": [...TIKLIVE, "messages", "transcriptions"],
  /** The API's bare message about the balance, 402, or OpenAI's 429 `insufficient_quota`. */
  "no-balance": [...TIKLIVE, "messages", "transcriptions"],
  /** 403 as for a link past its x-expires. */
  "expired-link": ["cdn"],
  /** 403 as for a country that is not served. */
  "region-locked": ["cdn"],
  /** Announces 100 GB, sends the right file and hangs up. */
  oversized: ["cdn"],
  /** Announces no length and sends the file over and over, until the caller hangs up. */
  endless: ["cdn"],
  /** 302 to `location`. */
  redirect: ["cdn", "short-link"],
  /** A complete answer that holds half of the file. */
  "cut-file": ["cdn"],
  /** A message whose text breaks off in the middle of the JSON although `stop_reason` says that it is complete. */
  "invalid-json": ["messages"],
  /** A message with `stop_reason: "refusal"`. */
  refusal: ["messages"],
  /** 529 `overloaded_error`. */
  overloaded: ["messages"],
} as const satisfies Record<string, readonly RouteName[]>;

export type FaultKind = keyof typeof FAULT_ROUTES;
const FAULT_KINDS = Object.keys(FAULT_ROUTES) as [FaultKind, ...FaultKind[]];

/**
 * A fault that somebody asked for. It fires on the requests that match, each time unless `times` or `rate` says
 * otherwise. A request that the sandbox refuses on its own account (a 4xx) uses up no fault.
 */
export const Fault = z
  .strictObject({
    kind: z.enum(FAULT_KINDS),
    match: z
      .strictObject({
        /** Default: every post. Model calls are matched by the post's title or creator in the prompt. */
        postId: AwemeId.optional(),
        /** Default: every route on which the kind makes sense. */
        route: RouteName.optional(),
      })
      .default({}),
    /** How often it fires at most. Default: without end. */
    times: z.number().int().positive().optional(),
    /** The share of matching requests that it hits, by the seeded generator. Default: 1. */
    rate: z.number().min(0).max(1).optional(),
    /** The Retry-After of a 429, in seconds. Default: 1. */
    retryAfterS: z.number().nonnegative().optional(),
    /** The status of a server error. Default: 503. */
    status: z.number().int().min(500).max(599).optional(),
    /** Where a redirect leads; it needs one. */
    location: z.url().optional(),
    /** Between two pieces of a slow drip. Default: 200. */
    intervalMs: z.number().int().positive().optional(),
  })
  .refine(
    ({ kind, match }) => match.route === undefined || toRoutes(kind).includes(match.route),
    "a fault of this kind never fires on this route",
  )
  .refine(
    ({ kind, location }) => (kind === "redirect") === (location !== undefined),
    "a redirect needs a location, and nothing else has one",
  );
export type Fault = z.input<typeof Fault>;
export type ParsedFault = z.output<typeof Fault>;

export function toRoutes(kind: FaultKind): readonly RouteName[] {
  return FAULT_ROUTES[kind];
}
