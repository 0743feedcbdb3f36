import { z } from "zod";
import { count, flag, variable } from "../variable.ts";

/** Decoding, and the limits of what is downloaded. */
export const media = {
  FFMPEG_PATH: variable(
    z.string().min(1).default("ffmpeg"),
    "The ffmpeg program; ffprobe is looked for beside it.",
  ),
  ALLOW_BUNDLED_FFMPEG: variable(
    flag.default(false),
    "1: use the old bundled ffmpeg for any file, not only for the demo's clips.",
  ),
  CLIPMILL_FFMPEG_BUNDLED: variable(
    flag.default(false),
    "1: FFMPEG_PATH is the old bundled ffmpeg; set by `clipmill up` for the processes that it starts.",
  ),
  MAX_MEDIA_BYTES: variable(count.default(500_000_000), "Largest file that is downloaded."),
  MAX_SLIDES: variable(
    count.default(100),
    "Most pictures of a slideshow that are read; the rest is left out with a warning.",
  ),
  MAX_SLIDE_BYTES: variable(
    count.default(20_000_000),
    "Largest picture of a slideshow that is read; a larger one is left out with a warning. All of them together: MAX_MEDIA_BYTES.",
  ),
  MAX_MEDIA_SECONDS: variable(count.default(3_600), "Longest media that is processed."),
} as const;
