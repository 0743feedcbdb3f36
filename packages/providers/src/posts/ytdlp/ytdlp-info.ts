import {
  type AwemeId,
  type FetchedMedia,
  type FetchedPost,
  type PostCaptions,
  RetryableError,
  UnrecoverableError,
} from "@clipmill/domain";
import { z } from "zod";
import {
  looseCount,
  looseDurationMs,
  looseLink,
  looseMoment,
  looseNumber,
  looseObject,
  looseText,
  looseTextOrNull,
} from "../loose-fields.ts";
import { toPageUrl } from "../tiklive/tiklive-detail.ts";

/** yt-dlp names a dozen formats of a post, and as many subtitles of a language. */
const ENTRIES_MAX = 500;

const looseList = <T extends z.ZodType>(entry: T) =>
  z
    .unknown()
    .transform((value) =>
      (Array.isArray(value) ? value : []).slice(0, ENTRIES_MAX).map((each) => entry.parse(each)),
    );

const Format = looseObject({
  format_id: looseText,
  format_note: looseText,
  url: looseLink,
  ext: looseText,
  vcodec: looseText,
  acodec: looseText,
  width: looseNumber,
  height: looseNumber,
  cookies: looseTextOrNull,
});

const Subtitle = looseObject({ ext: looseText, url: looseLink, data: looseCaptionText() });

/** What `yt-dlp -J` prints about a TikTok post: current releases, and those of 2023 where the names differ. */
export const YtDlpInfo = looseObject({
  id: looseText,
  title: looseText,
  description: looseText,
  timestamp: looseMoment,
  uploader: looseTextOrNull,
  /** The nickname; `creator` before 2024. */
  channel: looseTextOrNull,
  creator: looseTextOrNull,
  channel_follower_count: looseCount,
  view_count: looseCount,
  like_count: looseCount,
  comment_count: looseCount,
  repost_count: looseCount,
  track: looseTextOrNull,
  artist: looseTextOrNull,
  artists: looseList(looseText),
  duration: looseDurationMs,
  thumbnail: looseLink,
  formats: looseList(Format),
  subtitles: z.unknown().transform(toSubtitles),
});
export type YtDlpInfo = z.infer<typeof YtDlpInfo>;

/**
 * Throws RetryableError `bad_response` when the answer is about another post or has nothing to play, and
 * UnrecoverableError `unsupported` for a slideshow, of which yt-dlp has the sound only.
 */
export function toYtDlpPost(
  info: YtDlpInfo,
  { requestedId, source }: { requestedId: AwemeId; source: string },
): FetchedPost {
  if (info.id !== requestedId) {
    throw new RetryableError("bad_response", "yt-dlp tells of another post", { upstream: source });
  }
  return {
    post: {
      postId: requestedId,
      url: toPageUrl(requestedId, info.uploader, "video"),
      // The title is a cut or made-up one where the post has none.
      title: info.description === "" ? info.title : info.description,
      author: {
        uniqueId: info.uploader,
        nickname: info.channel ?? info.creator,
        followerCount: info.channel_follower_count,
      },
      music: toMusic(info),
      region: null,
      durationMs: info.duration ?? 0,
      postedAt: info.timestamp,
      source,
    },
    engagement: {
      plays: info.view_count,
      likes: info.like_count,
      comments: info.comment_count,
      shares: info.repost_count,
    },
    media: toMedia(info, source),
    captions: toCaptions(info),
  };
}

function toMusic({ track, artist, artists }: YtDlpInfo): FetchedPost["post"]["music"] {
  if (track === null) return null;
  const author = artists.length > 0 ? artists.join(", ") : (artist ?? "");
  return { id: null, title: track, author, original: null };
}

/**
 * H.264 first: H.265 links are at times 404 or without sound, and bytevc2 plays nowhere. Larger is not better here,
 * since only speech and on-screen text are read.
 */
function toMedia({ formats, thumbnail }: YtDlpInfo, source: string): FetchedMedia {
  const playable = formats.filter(
    ({ url, vcodec, acodec, format_note, format_id }) =>
      url !== null &&
      vcodec !== "none" &&
      acodec !== "none" &&
      !/unplayable|watermark/i.test(format_note) &&
      !/bytevc2/.test(`${vcodec} ${format_id}`),
  );
  if (playable.length === 0) {
    if (formats.some(({ vcodec }) => vcodec === "none")) {
      throw new UnrecoverableError("unsupported", "yt-dlp has no pictures of a slideshow", {
        upstream: source,
      });
    }
    throw new RetryableError("bad_response", "yt-dlp names no playable link", { upstream: source });
  }
  const ranked = playable.toSorted((a, b) => toRank(a) - toRank(b));
  const renditions = [...new Set(ranked.map(({ url }) => url))].filter((url) => url !== null);
  const cookie = toCookieHeader(ranked[0]?.cookies ?? null);
  return {
    kind: "video",
    renditions: renditions.slice(0, RENDITIONS_MAX),
    coverUrl: thumbnail,
    ...(cookie === null ? {} : { cookie }),
  };
}

/** Each is tried in turn where one is refused; more than a few refusals are no accident. */
const RENDITIONS_MAX = 4;

/** Burnt-in text is legible from 540 lines on, which TikTok gives as 576; far more is only slower. */
const SHORT_SIDE = 576;

function toRank({ vcodec, width, height }: YtDlpInfo["formats"][number]): number {
  const codec = /h265|hevc|bytevc1/.test(vcodec) ? 10_000 : 0;
  const shortSide = Math.min(width ?? height ?? SHORT_SIDE, height ?? width ?? SHORT_SIDE);
  return codec + Math.abs(shortSide - SHORT_SIDE);
}

/** yt-dlp writes `name=value; Domain=…; Path=…; Expires=…; name2=…`; a request wants the names and values alone. */
function toCookieHeader(cookies: string | null): string | null {
  const pairs = (cookies ?? "")
    .split(";")
    .map((part) => part.trim())
    .filter((part) => /^[\w-]{1,100}=[\x21-\x7e]{1,2000}$/.test(part))
    .filter((part) => !/^(domain|path|expires|max-age|samesite|version)=/i.test(part));
  return pairs.length === 0 ? null : pairs.slice(0, 10).join("; ");
}

/** One file a language: what stands last there yt-dlp holds for the best. JSON captions of the creator have no format of their own. */
function toCaptions({ subtitles }: YtDlpInfo): PostCaptions[] {
  return subtitles.flatMap(({ language, files }) => {
    const file = files.findLast(({ ext }) => ext === "vtt" || ext === "srt");
    if (file === undefined) return [];
    const format = file.ext === "vtt" ? "vtt" : "srt";
    const content =
      file.data !== null ? { text: file.data } : file.url !== null ? { url: file.url } : null;
    return content === null ? [] : [{ language, format, content, origin: null }];
  });
}

function toSubtitles(
  value: unknown,
): { language: string | null; files: z.infer<typeof Subtitle>[] }[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value)
    .slice(0, ENTRIES_MAX)
    .map(([language, files]) => ({
      language: toPrimaryTag(language),
      files: looseList(Subtitle).parse(files),
    }));
}

/** TikTok writes `eng-US`; the primary tag of that is `en`. */
function toPrimaryTag(language: string): string | null {
  try {
    return new Intl.Locale(language.replaceAll("_", "-")).language;
  } catch {
    return null;
  }
}

/** Lines are kept, unlike in other texts; an hour of subtitles has about 100 kB. */
function looseCaptionText() {
  return z
    .unknown()
    .transform((value) =>
      typeof value === "string" && value !== "" && value.length <= 1_000_000 ? value : null,
    );
}
