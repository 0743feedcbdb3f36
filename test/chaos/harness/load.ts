import { setTimeout as sleep } from "node:timers/promises";
import { ASK_KIND, type Fate } from "../pipelines/ask.ts";
import { CRAWL_KIND, type CrawlInput } from "../pipelines/crawl.ts";
import { type PostKind, toPostId } from "../pipelines/post.ts";
import { ROUND_KIND } from "../pipelines/round.ts";
import { EXTRA_PREFIX } from "../processes/extra-routes.ts";
import type { AnswerDesk } from "./answer-desk.ts";
import type { Callers } from "./callers.ts";
import type { Random } from "./random.ts";

/** What callers want, and what comes from outside. */
export interface Load {
  readonly counts: { sent: number; repeated: number; shared: number };
  /** The next request of a run's mixture; resolves when it is acknowledged, and its end where it is cancelled. */
  submit(): Promise<void>;
  /** A post of this kind. */
  submitPost(kind: PostKind): Promise<void>;
  /** The same request `copies` times at once. */
  storm(copies: number): Promise<void>;
  /** Has the answers of one round collected. */
  collect(): Promise<void>;
  /** Sends the API those answers that come by themselves. */
  deliver(): Promise<void>;
}

/** One request in so many. The others are posts. */
export interface Mixture {
  crawlEvery: number;
  askEvery: number;
}

interface Request {
  key: string;
  path: string;
  body: object;
  /** Resolves when somebody wants it ended; null for never. */
  untilCancelled: ((requestId: string) => Promise<unknown>) | null;
}

const SHARED_SHARE = 0.3;
const REPEATED_SHARE = 0.1;
const GONE_SHARE = 0.01;
const CANCELLED_SHARE = 0.03;
const CANCEL_WITHIN_MS = 6_000;
/** Of a crawl that is to be cancelled with what it submitted under way. */
const CHILDREN_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 250;
/** Most answers come in time. */
const FATES_BY_CHANCE: readonly Fate[] = [
  "once",
  "once",
  "once",
  "twice",
  "twice",
  "late",
  "late",
  "never",
  "refused",
];
const LANES = ["interactive", "standard", "backfill"] as const;

export function createLoad(deps: {
  callers: Callers;
  desk: AnswerDesk;
  random: Random;
  runId: string;
  mixture: Mixture;
  /** Whether a stage of this request has submitted others by now. */
  hasChildren(requestId: string): Promise<boolean>;
}): Load {
  const { callers, desk, random, runId } = deps;
  const { crawlEvery, askEvery } = deps.mixture;
  const counts = { sent: 0, repeated: 0, shared: 0 };
  const posts: string[] = [];
  const questions: string[] = [];
  let nextPost = 1;
  let nextKey = 1;
  let nextRound = 1;
  let nextCrawl = 0;

  function newPost(kind: PostKind): string {
    const postId = toPostId(kind, nextPost++);
    if (kind === "good") posts.push(postId);
    return postId;
  }

  function share<T>(earlier: readonly T[], make: () => T): T {
    if (random.next() >= SHARED_SHARE || earlier.length === 0) return make();
    counts.shared++;
    return random.pick(earlier);
  }

  function chooseCancel(): Request["untilCancelled"] {
    if (random.next() >= CANCELLED_SHARE) return null;
    const ms = random.between(0, CANCEL_WITHIN_MS);
    return () => sleep(ms);
  }

  async function untilChildren(requestId: string): Promise<void> {
    for (const until = Date.now() + CHILDREN_WITHIN_MS; Date.now() < until;) {
      if (await deps.hasChildren(requestId)) return;
      await sleep(LOOK_EVERY_MS);
    }
  }

  function newRequest(
    path: string,
    body: object,
    untilCancelled: Request["untilCancelled"] = null,
  ): Request {
    counts.sent++;
    const key = `${runId}-${nextKey++}`;
    return { key, path, body: { lane: random.pick(LANES), ...body }, untilCancelled };
  }

  function toPost(postId: string, untilCancelled: Request["untilCancelled"] = null): Request {
    return newRequest("/v1/jobs", { url: postId }, untilCancelled);
  }

  function toExtra(
    kind: string,
    input: { id: string },
    untilCancelled: Request["untilCancelled"],
  ): Request {
    return newRequest(`${EXTRA_PREFIX}/requests`, { kind, input }, untilCancelled);
  }

  /** In turn: cancelled with all that it submitted, cancelled alone, not cancelled. */
  function newCrawl(): Request {
    const turn = nextCrawl++ % 3;
    const input: CrawlInput = { id: `${nextKey}`, level: 1, endsWithParent: turn === 0 };
    const request = toExtra(CRAWL_KIND, input, turn === 2 ? null : untilChildren);
    return { ...request, body: { ...request.body, lane: "interactive" } };
  }

  function newQuestion(): string {
    const fate: Fate = random.pick(FATES_BY_CHANCE);
    const id = `${fate}-${nextKey}`;
    questions.push(id);
    return id;
  }

  function newAny(): Request {
    if (nextKey % crawlEvery === 0) return newCrawl();
    if (nextKey % askEvery === 0)
      return toExtra(ASK_KIND, { id: share(questions, newQuestion) }, chooseCancel());
    if (random.next() < GONE_SHARE) return toPost(newPost("gone"));
    return toPost(
      share(posts, () => newPost("good")),
      chooseCancel(),
    );
  }

  async function send({ key, path, body, untilCancelled }: Request): Promise<void> {
    const requestId = await callers.submit(key, path, body);
    if (requestId === null || untilCancelled === null) return;
    await untilCancelled(requestId);
    await callers.cancel(requestId);
  }

  return {
    counts,
    async submit() {
      const request = newAny();
      await send(request);
      if (random.next() >= REPEATED_SHARE) return;
      counts.repeated++;
      await send(request);
    },
    submitPost: (kind) => send(toPost(newPost(kind))),
    async storm(copies) {
      const request = toPost(newPost("good"));
      counts.repeated += copies - 1;
      await Promise.all(Array.from({ length: copies }, () => send(request)));
    },
    collect: () => send(toExtra(ROUND_KIND, { id: `${nextRound++}` }, null)),
    async deliver() {
      const deliveries = desk.takeForApi();
      if (deliveries.length > 0) await callers.tell(`${EXTRA_PREFIX}/answers`, { deliveries });
    },
  };
}
