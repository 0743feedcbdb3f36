import type { Fault, PlantedPost } from "@clipmill/sandbox";
import { type CaseMedia, toMark, withoutIndex } from "./case-media.ts";

/** What a case has to plant with: a post's id and number, the media, and a server that nobody may call. */
export interface Plot {
  id: string;
  number: number;
  media: CaseMedia;
  /** Origin of a listener on this machine. */
  forbidden: string;
}

export interface MixedCase {
  name: string;
  /** State of the request, and the code that goes with it, such as `failed: gone` or `done: region_locked`. */
  expect: string;
  /** Roles of the stored files without the cover, in order, such as `slide slide audio`; none for what is not done. */
  files?: string;
  /** The request names the post by its short link. */
  byShortLink?: true;
  /** The words come from captions. */
  hasCaptions?: true;
  /** Waits for a person, who fixes it once all else is done. */
  waits?: true;
  /** One file passes as media, is stored, and turns out to be broken: it has no row and waits for the sweep. */
  leavesOrphan?: true;
  plant(plot: Plot): Pick<PlantedPost, "kind" | "files" | "faults">;
}

type Files = PlantedPost["files"];

function toFile(
  { id }: Plot,
  content: Buffer,
  role: Files[number]["role"],
  name: string,
  contentType: string,
): Files[number] {
  const mark = contentType.startsWith("image/") ? Buffer.from(`${id} ${name}`) : toMark(id);
  const read = () => (content.length === 0 ? content : Buffer.concat([content, mark]));
  return { name: `${id}${name}`, role, contentType, read };
}

function toClip(plot: Plot): Buffer {
  const { clips } = plot.media;
  return clips[plot.number % clips.length] ?? clips[0] ?? Buffer.alloc(0);
}

function toVideo(plot: Plot, content = toClip(plot)): Files {
  return [
    toFile(plot, content, "video", ".mp4", "video/mp4"),
    toFile(plot, plot.media.cover, "cover", ".jpg", "image/jpeg"),
  ];
}

function toSlides(plot: Plot): Files {
  return plot.media.slides.map((slide, at) =>
    toFile(plot, slide, "slide", `-${at + 1}.jpg`, "image/jpeg"),
  );
}

/** A video whose file or faults are the case. */
function video(
  name: string,
  expect: string,
  { content, faults = [], ...more }: VideoCase = {},
): MixedCase {
  return {
    name,
    expect,
    ...(expect === "done" ? { files: "video" } : {}),
    ...more,
    plant: (plot) => ({
      kind: "speech",
      files: toVideo(plot, content?.(plot)),
      faults: typeof faults === "function" ? faults(plot) : faults,
    }),
  };
}

interface VideoCase extends Partial<MixedCase> {
  content?: (plot: Plot) => Buffer;
  faults?: readonly Fault[] | ((plot: Plot) => readonly Fault[]);
}

/** Posts that are as they should be. */
export function toGoodCases({ hevc }: CaseMedia): MixedCase[] {
  return [
    video("clip", "done"),
    video("by a short link", "done", { byShortLink: true }),
    {
      name: "slideshow",
      expect: "done",
      files: "slide slide slide audio",
      plant: (plot) => ({
        kind: "slideshow",
        files: [...toSlides(plot), toFile(plot, plot.media.sound, "audio", ".m4a", "audio/mp4")],
        faults: [],
      }),
    },
    video("another clip", "done"),
    {
      name: "slideshow without sound",
      expect: "done",
      files: "slide slide slide",
      plant: (plot) => ({ kind: "slideshow", files: toSlides(plot), faults: [] }),
    },
    video("video without sound", "done", { content: ({ media }) => media.silent }),
    {
      ...video("captions offered", "done", { hasCaptions: true }),
      plant: (plot) => ({
        kind: "speech",
        // Any clip will not do: one of the pack has no sound, and nobody speaks there who could be captioned.
        files: [...toVideo(plot, plot.media.clips[0]), toCaptions(plot)],
        faults: [],
      }),
    },
    ...(hevc === null ? [] : [video("HEVC", "done", { content: () => hevc })]),
  ];
}

/** Over six of the clip's twelve seconds. */
function toCaptions(plot: Plot): Files[number] {
  const cues = Array.from(
    { length: 3 },
    (_, at) => `00:0${at * 2}.000 --> 00:0${at * 2 + 2}.000\nline ${at} of post number ${plot.id}`,
  );
  const content = Buffer.from(`WEBVTT\n\n${cues.join("\n\n")}\n`);
  return {
    name: `${plot.id}.vtt`,
    role: "captions",
    contentType: "text/vtt",
    read: () => content,
  };
}

const CDN = { route: "cdn" } as const;
const DETAIL = { route: "post-detail" } as const;
const SHORT = { route: "short-link" } as const;

/** Every kind of bad, also those that end well. */
export const BAD_CASES: readonly MixedCase[] = [
  { ...video("gone", "skipped: gone"), plant: () => ({ kind: "deleted", files: [], faults: [] }) },
  {
    ...video("private", "skipped: private"),
    plant: () => ({ kind: "private", files: [], faults: [] }),
  },
  video("region_locked", "done: region_locked", {
    faults: [{ kind: "region-locked", match: CDN }],
  }),
  video("blocked", "failed: blocked", { faults: [{ kind: "blocked", match: DETAIL }] }),
  video("throttled", "done", {
    faults: [{ kind: "rate-limited", match: DETAIL, times: 3, retryAfterS: 0.2 }],
  }),
  video("provider_key", "done", {
    faults: [{ kind: "bad-key", match: DETAIL, times: 1 }],
    waits: true,
  }),
  video("provider_balance", "done", {
    faults: [{ kind: "no-balance", match: DETAIL, times: 1 }],
    waits: true,
  }),
  // Both renditions of the first answer.
  video("stale_link", "done", { faults: [{ kind: "expired-link", match: CDN, times: 2 }] }),
  video("cut off", "failed: corrupt_media", {
    content: (plot) => toClip(plot).subarray(0, toClip(plot).length >> 1),
    leavesOrphan: true,
  }),
  video("no moov", "failed: corrupt_media", {
    content: (plot) => withoutIndex(toClip(plot)),
    leavesOrphan: true,
  }),
  video("zero length", "failed: bad_response", { content: () => Buffer.alloc(0) }),
  video("HTML", "failed: bad_response", { faults: [{ kind: "html", match: CDN }] }),
  video("24 hours", "failed: too_long", { content: ({ media }) => media.day, leavesOrphan: true }),
  video("announced too large", "failed: too_large", {
    faults: [{ kind: "oversized", match: CDN }],
  }),
  video("too large without a word", "failed: too_large", {
    faults: [{ kind: "endless", match: CDN }],
  }),
  video("dead short link", "skipped: gone", {
    byShortLink: true,
    faults: [{ kind: "redirect", match: SHORT, location: "https://www.tiktok.com/?_r=1" }],
  }),
  video("short link to a profile", "failed: not_a_post", {
    byShortLink: true,
    faults: [{ kind: "redirect", match: SHORT, location: "https://www.tiktok.com/@ada" }],
  }),
  video("short link to a forbidden address", "failed: not_a_post", {
    byShortLink: true,
    faults: ({ forbidden }) => [{ kind: "redirect", match: SHORT, location: `${forbidden}/post` }],
  }),
  video("media link to a forbidden address", "failed: bad_response", {
    faults: ({ forbidden }) => [{ kind: "redirect", match: CDN, location: `${forbidden}/clip` }],
  }),
  {
    // The other rendition lies where it should.
    ...video("detail with a forbidden address", "done"),
    plant: (plot) => ({
      kind: "speech",
      files: toVideo(plot).map((file) => ({ ...file, link: `${plot.forbidden}/${file.name}` })),
      faults: [],
    }),
  },
  video("playlist for a video", "failed: bad_response", {
    content: ({ forbidden }) => Buffer.from(`#EXTM3U\n#EXTINF:1,\n${forbidden}/leak.ts\n`),
  }),
];
