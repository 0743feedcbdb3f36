import {
  ClipmillError,
  type ErrorCode,
  type FetchedPost,
  type MediaRole,
  RetryableError,
  type StageContext,
  type Unread,
  UnrecoverableError,
} from "@clipmill/domain";
import {
  describeFile,
  fetchFile,
  isRefusal,
  type PostFile,
  type PostMediaDeps,
  type Way,
} from "./post-file.ts";

export type Slideshow = Extract<FetchedPost["media"], { kind: "slideshow" }>;

interface Part {
  url: string;
  role: Extract<MediaRole, "slide" | "audio">;
  position: number;
}

/** Parts that are fetched beside each other. */
const AT_ONCE = 6;

/** What is wrong with one part alone, and stays so: the others are taken all the same. */
const OF_ONE_PART: readonly ErrorCode[] = ["corrupt_media", "unsupported", "no_content"];

/** A part that the CDN does not serve may be served under the fresh link of another attempt, but not for ever. */
const OF_ONE_LINK: readonly ErrorCode[] = ["stale_link", "bad_response"];
/** The last one of the stage `download`. */
const MISSING_FROM_ATTEMPT = 5;

/** What is taken of a slideshow, and what went wrong with the rest. */
interface Taken {
  files: PostFile[];
  /** Pictures that are over a limit, and why. */
  leftOut: string[];
  /** Parts that are no media. */
  broken: { part: Unread["part"]; error: ClipmillError }[];
  /** Errors that another attempt may not have. */
  failures: Failure[];
}

interface Failure {
  part: Unread["part"];
  error: unknown;
}

/**
 * Fetches pictures and sound of a slideshow. Pictures over a limit and parts that are no media are left out, and at the
 * last attempt those that are not served; fails where nothing is left, or where a part could not be fetched
 * otherwise. See `storeMedia`.
 */
export async function fetchSlideshow(
  deps: PostMediaDeps,
  slideshow: Slideshow,
  ctx: StageContext,
  way: Way,
): Promise<{ files: PostFile[]; unread: Unread[] }> {
  const taken: Taken = { files: [], leftOut: [], broken: [], failures: [] };
  const parts = toParts(slideshow, deps, taken);
  for (let at = 0; at < parts.length; at += AT_ONCE) {
    await takeParts(deps, parts.slice(at, at + AT_ONCE), { ctx, way, taken });
  }
  if (ctx.attempt >= MISSING_FROM_ATTEMPT && taken.files.length > 0) giveUpMissing(taken);
  const { files, broken, failures } = taken;
  if (failures.length > 0) throw toFailure(taken);
  if (files.length === 0 && broken[0] !== undefined) throw broken[0].error;
  return { files, unread: toUnread(taken) };
}

/** Slides in order, then the sound. */
function toParts(
  { imageUrls, audioUrl }: Slideshow,
  { maxSlides }: PostMediaDeps,
  { leftOut }: Taken,
): Part[] {
  const over = imageUrls.length - maxSlides;
  if (over > 0) leftOut.push(`${over} of ${imageUrls.length} (MAX_SLIDES is ${maxSlides})`);
  const slides = imageUrls.slice(0, maxSlides);
  return [
    ...slides.map((url, position) => ({ url, role: "slide" as const, position })),
    ...(audioUrl === null ? [] : [{ url: audioUrl, role: "audio" as const, position: 0 }]),
  ];
}

async function takeParts(
  deps: PostMediaDeps,
  parts: readonly Part[],
  { ctx, way, taken }: { ctx: StageContext; way: Way; taken: Taken },
): Promise<void> {
  const restBytes = deps.maxBytes - countSlideBytes(taken);
  const limits = { audio: deps.maxBytes, slide: Math.min(deps.maxSlideBytes, restBytes) };
  const take = async ({ url, role, position }: Part): Promise<PostFile> => {
    if (limits[role] <= 0)
      throw new UnrecoverableError("too_large", "the pictures are over the limit of a post");
    const key = await fetchFile({ ...deps, maxBytes: limits[role] }, url, ctx, way);
    return (await describeFile(deps, key, role, position, ctx)).file;
  };
  // Waits for all of them, so that nothing is still being written when the attempt ends.
  const results = await Promise.allSettled(parts.map(take));
  for (const [at, part] of parts.entries()) {
    const result = results[at];
    if (result?.status === "fulfilled") taken.files.push(result.value);
    else sortOut(result?.reason, part, taken);
  }
}

function countSlideBytes({ files }: Taken): number {
  return files
    .filter(({ role }) => role === "slide")
    .reduce((sum, { media }) => sum + media.bytes, 0);
}

function sortOut(
  error: unknown,
  { role, position }: Pick<Part, "role" | "position">,
  { leftOut, broken, failures }: Taken,
): void {
  const code = error instanceof ClipmillError ? error.code : null;
  const part = role === "slide" ? "pictures" : "sound";
  if (role === "slide" && code === "too_large") leftOut.push(`number ${position + 1} (too large)`);
  else if (error instanceof ClipmillError && OF_ONE_PART.includes(error.code))
    broken.push({ part, error });
  else failures.push({ part, error });
}

/** What no attempt got is left out. */
function giveUpMissing(taken: Taken): void {
  const { failures, broken } = taken;
  taken.failures = failures.filter(({ part, error }) => {
    if (!(error instanceof ClipmillError) || !OF_ONE_LINK.includes(error.code)) return true;
    broken.push({ part, error });
    return false;
  });
}

function toFailure({ files, failures }: Taken): unknown {
  const other = failures.find(({ error }) => !isRefusal(error));
  if (other !== undefined) return other.error;
  return new RetryableError("stale_link", "links of the slideshow were refused", {
    cause: failures[0]?.error,
    details: { served: files.length, refused: failures.length },
  });
}

/** Long enough to see what it is about. */
const LISTED_MAX = 3;

function toUnread({ leftOut, broken }: Taken): Unread[] {
  const unread: Unread[] = [];
  if (leftOut.length > 0) {
    const more = leftOut.length > LISTED_MAX ? ` and ${leftOut.length - LISTED_MAX} more` : "";
    const message = `pictures were left out: ${leftOut.slice(0, LISTED_MAX).join(", ")}${more}`;
    unread.push({ part: "pictures", code: "too_large", message });
  }
  for (const part of ["pictures", "sound"] as const) {
    const ofPart = broken.filter((one) => one.part === part);
    const [first] = ofPart;
    if (first === undefined) continue;
    const { code, message } = first.error;
    const what = part === "sound" ? "the sound" : `${ofPart.length} of the pictures`;
    unread.push({ part, code, message: `${what} could not be read: ${message}` });
  }
  return unread;
}
