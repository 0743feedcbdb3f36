import type { MediaFormat } from "./sniff-media.ts";

/** Far over what an hour of video needs; what asks for more is made to. */
const MAX_ALLOC_BYTES = 512 * 1024 * 1024;

/** Of one child: two dozen decoded frames of the largest size that we take are 1.5 GB. */
export const MAX_MEMORY_BYTES = 4 * 1024 ** 3;

/** 8K is 33 million; a frame of this many takes 160 MB once decoded. */
export const MAX_PIXELS = 40_000_000;

/** ffmpeg's demuxers for media of every day that open nothing but the file: no playlist, no pattern of names. */
const SELF_CONTAINED =
  "aac,ac3,aiff,amr,asf,au,avi,caf,eac3,flac,flv,h264,hevc,ivf,loas,m4v,matroska,mov,mp3,mpeg,mpegts,mpegvideo,ogg,tta,w64,wav,wv";

/** Enough for a broadcast stream whose sound starts some seconds after its pictures. */
const FIND_STREAMS = ["-probesize", "20000000", "-analyzeduration", "20000000"];

/**
 * What stands before `-i` in every call of ffmpeg and ffprobe. Media is written by strangers: only a demuxer that we
 * name may open it, and nothing in it may open another file or a connection.
 */
export function toInputOptions({ demuxer }: Pick<MediaFormat, "demuxer">): string[] {
  const walls = ["-protocol_whitelist", "file,pipe", "-max_alloc", String(MAX_ALLOC_BYTES)];
  const opened =
    demuxer === null ? ["-format_whitelist", SELF_CONTAINED, ...FIND_STREAMS] : ["-f", demuxer];
  return ["-hide_banner", "-v", "error", ...walls, ...opened];
}
