import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";

/** TikTok's numeric post id, always a string: it exceeds 2^53. */
export const AwemeId = z.string().regex(/^\d{15,20}$/, "an aweme_id is 15 to 20 digits");
export type AwemeId = z.infer<typeof AwemeId>;

/** sha-256 in lower-case hex; names every stored file and every content hash. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "a sha-256 is 64 hex digits");
export type Sha256 = z.infer<typeof Sha256>;

/** What a post is stored under: its aweme_id, or `file-<sha256>` for a local file without one. */
export const PostId = z.union([AwemeId, z.string().regex(/^file-[0-9a-f]{64}$/)]);
export type PostId = z.infer<typeof PostId>;

/** The aweme_id of a post id, or null for a local file. */
export function toAwemeId(postId: PostId): AwemeId | null {
  return postId.startsWith("file-") ? null : postId;
}

export const RequestId = z.string().regex(/^job_[0-9A-HJKMNP-TV-Z]{26}$/);
export type RequestId = z.infer<typeof RequestId>;

export const BackfillId = z.string().regex(/^bf_[0-9A-HJKMNP-TV-Z]{26}$/);
export type BackfillId = z.infer<typeof BackfillId>;

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * A new request id: `job_` and a ULID. Ids that sort by time keep the primary key's inserts on its
 * last page, which is what makes bulk accept flat over a million rows.
 */
export function newRequestId(now: number = Date.now()): RequestId {
  return `job_${newUlid(now)}`;
}

/** A new id of a list of links: `bf_` and a ULID. */
export function newBackfillId(now: number = Date.now()): BackfillId {
  return `bf_${newUlid(now)}`;
}

function newUlid(now: number): string {
  let time = now;
  let head = "";
  for (let i = 0; i < 10; i++) {
    head = CROCKFORD[time % 32] + head;
    time = Math.floor(time / 32);
  }
  let tail = "";
  for (const byte of takeRandom(16)) tail += CROCKFORD[byte % 32];
  return head + tail;
}

/** Each call to the system for random bytes takes longer than the rest of an id: they are fetched for 256 ids at once. */
const RANDOM_BYTES = 4_096;
let random = Buffer.alloc(0);

function takeRandom(count: number): Uint8Array {
  if (random.length < count) random = randomBytes(RANDOM_BYTES);
  const taken = random.subarray(0, count);
  random = random.subarray(count);
  return taken;
}

export function sha256(data: string | Uint8Array): Sha256 {
  return createHash("sha256").update(data).digest("hex");
}

/** Hash of a JSON value that does not depend on the order of its keys. */
export function hashJson(value: unknown): Sha256 {
  return sha256(JSON.stringify(value, sortKeys));
}

function sortKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
