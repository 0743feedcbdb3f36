import { setTimeout as sleep } from "node:timers/promises";
import { type PostKind, toPostId } from "../pipeline.ts";
import type { Fleet } from "./fleet.ts";
import type { Random } from "./random.ts";

/** What one idempotency key was promised. */
export interface Promised {
  postId: string;
  kind: PostKind;
  requestId: string;
}

/** Callers, who send a request again under its key until somebody answers, as they are told to. */
export interface Load {
  /** By idempotency key; only what was acknowledged. */
  readonly promised: ReadonlyMap<string, Promised>;
  /** Two answers for one key, or a refusal of what is correct. */
  readonly complaints: readonly string[];
  readonly counts: { sent: number; repeated: number; shared: number };
  /** One request of this kind, or a random one; resolves when it is acknowledged. */
  submit(kind?: PostKind): Promise<void>;
  /** The same request `copies` times at once. */
  storm(copies: number): Promise<void>;
  /** Ends the attempts of callers that nobody has answered. */
  stop(): void;
}

const SHARED_SHARE = 0.3;
const REPEATED_SHARE = 0.1;
const GONE_SHARE = 0.01;
const AGAIN_AFTER_MS = 250;
/** A caller that hangs up: half-open connections cost it no more than this. */
const PATIENCE_MS = 8_000;
const LANES = ["interactive", "standard", "backfill"] as const;

export function createLoad(fleet: Fleet, random: Random, runId: string): Load {
  const promised = new Map<string, Promised>();
  const complaints: string[] = [];
  const counts = { sent: 0, repeated: 0, shared: 0 };
  const stopped = new AbortController();
  const posts: string[] = [];
  let nextPost = 1;
  let nextKey = 1;

  function newPost(kind: PostKind): string {
    const postId = toPostId(kind, nextPost++);
    if (kind === "good") posts.push(postId);
    return postId;
  }

  function choosePost(kind: PostKind | undefined): { postId: string; kind: PostKind } {
    if (kind !== undefined) return { postId: newPost(kind), kind };
    const chance = random.next();
    if (chance < GONE_SHARE) return { postId: newPost("gone"), kind: "gone" };
    if (chance < SHARED_SHARE && posts.length > 0) {
      counts.shared++;
      return { postId: random.pick(posts), kind: "good" };
    }
    return { postId: newPost("good"), kind: "good" };
  }

  function newRequest(kind?: PostKind) {
    const key = `${runId}-${nextKey++}`;
    counts.sent++;
    return { key, lane: random.pick(LANES), ...choosePost(kind) };
  }

  async function send({ key, postId, kind, lane }: ReturnType<typeof newRequest>): Promise<void> {
    while (!stopped.signal.aborted) {
      const answer = await post(key, { url: postId, lane });
      if (answer.status === 200 || answer.status === 202) {
        const earlier = promised.get(key);
        if (earlier !== undefined && earlier.requestId !== answer.id) {
          complaints.push(`I1: ${key} was answered with two requests`);
        }
        promised.set(key, { postId, kind, requestId: answer.id });
        return;
      }
      if (answer.status >= 400 && answer.status < 500) {
        complaints.push(`I1: ${key} was refused with ${answer.status}`);
        return;
      }
      await sleep(AGAIN_AFTER_MS);
    }
  }

  /** Status 0: nobody answered. */
  async function post(key: string, body: object): Promise<{ status: number; id: string }> {
    const urls = fleet.members.flatMap((member) => member.url() ?? []);
    if (urls.length === 0) return { status: 0, id: "" };
    try {
      const response = await fetch(`${random.pick(urls)}/v1/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": key },
        body: JSON.stringify(body),
        signal: AbortSignal.any([stopped.signal, AbortSignal.timeout(PATIENCE_MS)]),
      });
      const { id = "" } = (await response.json()) as { id?: string };
      return { status: response.status, id };
    } catch {
      return { status: 0, id: "" };
    }
  }

  return {
    promised,
    complaints,
    counts,
    async submit(kind) {
      const request = newRequest(kind);
      await send(request);
      if (random.next() < REPEATED_SHARE) {
        counts.repeated++;
        await send(request);
      }
    },
    async storm(copies) {
      const request = newRequest("good");
      counts.repeated += copies - 1;
      await Promise.all(Array.from({ length: copies }, () => send(request)));
    },
    stop: () => stopped.abort(),
  };
}
