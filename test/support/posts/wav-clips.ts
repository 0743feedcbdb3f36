import { makeClip, makeMedia, SOURCES } from "./media-fixtures.ts";

/** The longest WAV that is made of a clip. */
export const MAX_SECONDS = 60;
const CODECS = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"];

/** Clips that differ in all that a WAV depends on; the track of sound, and how the file is made. */
export const CLIPS: Record<string, { track: number; make: (path: string) => unknown }> = {
  "clip.mp4": { track: 1, make: (path) => makeClip(path, 3) },
  "tone.m4a": { track: 0, make: (path) => makeMedia(path, ...SOURCES.tone(2), "-c:a", "aac") },
  "stereo.m4a": {
    track: 0,
    make: (path) => makeMedia(path, ...SOURCES.tone(2), "-ac", "2", "-ar", "48000", "-c:a", "aac"),
  },
  "low.m4a": {
    track: 0,
    make: (path) => makeMedia(path, ...SOURCES.tone(4), "-ar", "8000", "-c:a", "aac"),
  },
  "late.mp4": {
    track: 1,
    make: (path) =>
      makeMedia(path, ...SOURCES.pattern(3), "-itsoffset", "1.2", ...SOURCES.tone(1), ...CODECS),
  },
  "tone.flac": { track: 0, make: (path) => makeMedia(path, ...SOURCES.tone(2)) },
  "tone.wav": { track: 0, make: (path) => makeMedia(path, ...SOURCES.tone(1.3)) },
  "stream.ts": {
    track: 1,
    make: (path) => makeMedia(path, ...SOURCES.pattern(2), ...SOURCES.tone(2), ...CODECS),
  },
  // Over the limit: both end it at the same sample.
  "long.m4a": {
    track: 0,
    make: (path) => makeMedia(path, ...SOURCES.tone(MAX_SECONDS + 5), "-c:a", "aac"),
  },
};
