import { z } from "zod";
import { credential, days, httpUrl, variable } from "../variable.ts";

/** Where media lies, for how long, and how much of it. */
export const storage = {
  STORAGE: variable(
    z.enum(["file", "s3"]).default("file"),
    "Where media lies: `file` in CLIPMILL_HOME, or `s3` in a bucket, which several machines can share.",
  ),
  S3_ENDPOINT: variable(
    httpUrl.optional(),
    "Base URL of an S3-compatible store; with STORAGE=s3 this and the next four belong together.",
  ),
  S3_BUCKET: variable(z.string().min(1).optional(), "Bucket for media."),
  S3_REGION: variable(
    z.string().min(1).default("auto"),
    "Region of the bucket; AWS wants its own.",
  ),
  S3_ACCESS_KEY_ID: variable(credential.optional(), "Access key of the bucket."),
  S3_SECRET_ACCESS_KEY: variable(credential.optional(), "Secret of that key."),
  RETAIN_MEDIA_DAYS: variable(
    days.default(30),
    "Downloaded files older than this are deleted, unless open work needs them; 0 keeps them for ever. Texts stay.",
  ),
  RETAIN_AUDIO_DAYS: variable(days.default(60), "The same for the audio that was made from them."),
  RETAIN_MEDIA_BYTES: variable(
    z.coerce.number().int().min(0).default(0),
    "Most bytes of both together: above it the oldest files go, media first; 0 sets no limit.",
  ),
} as const;
