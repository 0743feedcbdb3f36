import type { MediaFormat } from "./sniff-media.ts";

/** Far over what an hour of video needs; what asks for more is made to. */
const MAX_ALLOC_BYTES = 512 * 1024 * 1024;

/** Of one child: two dozen decoded frames of the largest size that we take are 1.5 GB. */
export const MAX_MEMORY_BYTES = 4 * 1024 ** 3;

/**
 * What stands before `-i` in every call of ffmpeg and ffprobe. Media is written by strangers: only its own demuxer may
 * open it, and nothing in it may open another file or a connection.
 */
export function toInputOptions(format: MediaFormat): string[] {
  const limits = ["-protocol_whitelist", "file,pipe", "-max_alloc", String(MAX_ALLOC_BYTES)];
  return ["-hide_banner", "-v", "error", ...limits, "-f", format.demuxer];
}
