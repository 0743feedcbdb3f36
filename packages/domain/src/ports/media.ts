import type { StoredFile } from "./storage.ts";

/** Fetches media from a CDN into storage, without ever reaching a private address. */
export interface MediaFetcher {
  /**
   * Goes on where a broken connection left off, if the server allows it. Throws RetryableError `stale_link` on 403 and
   * 410, `throttled` on 429, `upstream_unavailable` on 5xx, resets and idle connections, `bad_response` when HTML comes
   * instead of media or the body is shorter than announced; UnrecoverableError `too_large`; SkipError `region_locked`
   * where `proxyCountry` is asked for and no proxy is configured there.
   */
  fetch(url: string, options: FetchOptions): Promise<StoredFile>;
}

export interface FetchOptions {
  signal: AbortSignal;
  maxBytes: number;
  /** Two letters, such as `DE`: through that country's proxy (`PROXY_DE`). Default: directly. */
  proxyCountry?: string;
  /** `name=value; …`, where the source of the link says that its host wants to see one. Default: none. */
  cookie?: string;
}

export interface ProbedMedia {
  /** From the container; 0 for a still image. */
  durationMs: number;
  hasAudio: boolean;
  hasVideo: boolean;
}

/** ffmpeg and ffprobe on local files, in child processes that die with `signal`. */
export interface MediaTools {
  /** Throws UnrecoverableError `corrupt_media` for what is no media, `no_content` for neither audio nor video. */
  probe(path: string, options: { signal: AbortSignal }): Promise<ProbedMedia>;
  /** Writes 16 kHz mono 16-bit WAV. */
  toWav(path: string, wavPath: string, options: { signal: AbortSignal }): Promise<void>;
  /** Writes PNG frames, spread evenly over the video, and returns their paths in order. */
  toFrames(
    path: string,
    directory: string,
    options: { signal: AbortSignal; count: number; durationMs: number },
  ): Promise<string[]>;
}
