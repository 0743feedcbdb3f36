import {
  decodeText,
  FILE_SOURCE,
  type FetchedPost,
  type PostId,
  type Sha256,
  UnrecoverableError,
} from "@clipmill/domain";
import { parseExactJson } from "../../http/exact-json.ts";
import { TikLiveDetail, toEngagement, toNumericIds, toPost } from "../tiklive/tiklive-detail.ts";

/** The fields of a user's JSON about their file, of which at least one is known. */
export type ImportDetail = Readonly<Record<string, unknown>>;

/** What a detail must have one of; what has none is another program's file. */
const KNOWN_FIELDS = ["title", "author", "music", "music_info", "id", "video_id", "aweme_id"];

/**
 * A user's JSON about their file, in UTF-8 or UTF-16: shaped as TikLiveAPI has it, or simple, such as
 * `{"title": "…", "author": "ada", "music": "song"}`. Throws UnrecoverableError `invalid_request` for anything else;
 * `name` is the file's, for the message.
 */
export function parseImportDetail(content: Uint8Array, name: string): ImportDetail {
  const refuse = (what: string, cause?: unknown) =>
    new UnrecoverableError("invalid_request", `${name} ${what}`, { cause });
  const text = decodeText(content);
  if (text.trim() === "") throw refuse("is empty");
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (cause) {
    throw refuse("is not valid JSON", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse("holds no JSON object");
  }
  const fields = value as ImportDetail;
  if ("attribution" in fields && "timings_ms" in fields) {
    throw refuse("is a result that clipmill printed");
  }
  if (!KNOWN_FIELDS.some((field) => (fields[field] ?? null) !== null)) {
    throw refuse("has none of title, author, music and id");
  }
  if (!TikLiveDetail.safeParse(expandSimple(fields)).success) {
    throw refuse("has fields of another form than a post's detail");
  }
  return fields;
}

/**
 * A file as a fetched post. A numeric id in its detail gives the post its link, and nothing more: a file is known by its
 * content, so that nobody who asks for that link is answered with it.
 */
export function toImport(fields: ImportDetail, sha256: Sha256): FetchedPost {
  const detail = TikLiveDetail.parse(expandSimple(fields));
  const postId: PostId = `file-${sha256}`;
  const form = detail.images.length > 0 ? "photo" : "video";
  return {
    post: {
      ...toPost(detail, { postId: toNumericIds(detail)[0] ?? postId, source: FILE_SOURCE, form }),
      postId,
    },
    engagement: toEngagement(detail),
    media: { kind: "stored", sha256 },
    captions: [],
  };
}

/** A file about which nothing is known. */
export function toBareImport(sha256: Sha256): FetchedPost {
  return toImport({}, sha256);
}

/** Puts plain names where TikLiveAPI has objects. There `music` is a link and `music_info` the sound. */
function expandSimple(fields: ImportDetail): Record<string, unknown> {
  const { author, music } = fields;
  return {
    ...fields,
    author: typeof author === "string" ? { unique_id: author.replace(/^@/, "") } : author,
    music_info: fields["music_info"] ?? toMusicInfo(music),
  };
}

function toMusicInfo(music: unknown): unknown {
  if (typeof music === "object") return music;
  if (typeof music !== "string" || music === "" || URL.canParse(music)) return null;
  return { title: music };
}
