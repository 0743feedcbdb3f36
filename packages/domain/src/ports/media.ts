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
  /**
   * Where the last sound or picture ends, in ms after the start of the file. Measured, since containers lie or do not
   * say, unless the tables in the file leave no doubt; a file that goes on beyond the limit is measured only a little
   * beyond it. 0 for a still image.
   */
  durationMs: number;
  /** Whether there is a track, decodable or not. */
  hasAudio: boolean;
  hasVideo: boolean;
  /** Codecs in the file that the ffmpeg here does not know, such as `bvc2`. */
  unknownCodecs: readonly string[];
}

/** How one waits for programs that take a whole processor, of which only some may run at once. */
export interface WaitOptions {
  signal: AbortSignal;
  /** Called when a wait for others begins; what it returns, when it is over. See `StageContext.onWait`. Default: nothing. */
  onWait?: (() => () => void) | undefined;
}

/** How many frames are taken: one for each `everyMs` of the video, at least one and at most `maxCount`. */
export interface FrameOptions extends WaitOptions {
  maxCount: number;
  everyMs: number;
}

/**
 * ffmpeg and ffprobe on local files, in child processes that die with `signal`; none where the headers of a file say
 * enough. What ffmpeg can play is taken; what it cannot is UnrecoverableError `unsupported` (the message names the codec)
 * where it knows no decoder, and `corrupt_media` where the decoder delivers nothing.
 */
export interface MediaTools {
  /** Throws `corrupt_media` for what is no media, `no_content` for neither audio nor video, `too_large` for pictures. */
  probe(path: string, options: WaitOptions): Promise<ProbedMedia>;
  /**
   * Writes the best audible track as 16 kHz mono 16-bit WAV. Its time is that of the video: a sound that starts late,
   * or with gaps, has silence there. Throws SkipError `no_audio` where there is no sound in the file, or next to none;
   * UnrecoverableError `too_long`.
   */
  toWav(path: string, wavPath: string, options: WaitOptions): Promise<{ durationMs: number }>;
  /** Writes PNG frames, spread evenly over the video, and returns their paths in order. */
  toFrames(path: string, directory: string, options: FrameOptions): Promise<string[]>;
  /** Writes the first frame of a picture as a PNG of bounded size, however many frames and pixels the file has. */
  toPicture(path: string, picturePath: string, options: WaitOptions): Promise<void>;
}
