import {
  FILE_SOURCE,
  type FetchedPost,
  type PostId,
  type Sha256,
  UnrecoverableError,
} from "@clipmill/domain";
import { parseExactJson } from "../../http/exact-json.ts";
import { TikLiveDetail, toEngagement, toNumericIds, toPost } from "../tiklive/tiklive-detail.ts";

/**
 * A user's JSON about their file, as a fetched post: shaped as TikLiveAPI has it, or simple, such as
 * `{"title": "…", "author": "ada", "music": "song"}`. A numeric id in it gives the post its link, and nothing more: a file
 * is known by its content, so that nobody who asks for that link is answered with it.
 * Throws UnrecoverableError `invalid_request` for what is no JSON object; `name` is the file's, for the message.
 */
export function parseImportDetail(
  text: string,
  { sha256, name }: { sha256: Sha256; name: string },
): FetchedPost {
  const fields = parseObject(text, name);
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
  return parseImportDetail("{}", { sha256, name: "" });
}

function parseObject(text: string, name: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (cause) {
    throw new UnrecoverableError("invalid_request", `${name} is not valid JSON`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UnrecoverableError("invalid_request", `${name} holds no JSON object`);
  }
  return value as Record<string, unknown>;
}

/** Puts plain names where TikLiveAPI has objects. There `music` is a link and `music_info` the sound. */
function expandSimple(fields: Record<string, unknown>): Record<string, unknown> {
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
