import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ClipmillError, FrameOptions } from "@clipmill/domain";
import { isOfMedia, measurePictures, type MeasureRun } from "./measure.ts";
import { toCorrupt } from "./read-format.ts";
import { type FfmpegOutput, runFfmpeg } from "./run-ffmpeg.ts";
import { checkFrameSize, type ProbeRun, readTracks, toUnsupported, type Track } from "./tracks.ts";

/** Enough for text that a phone shows; a larger frame costs OCR time and brings nothing. */
const MAX_FRAME_SIDE = 1_920;

/** A screenshot of a long page has its text as large as a frame has, so it is the area that is bounded. */
const MAX_PICTURE_PIXELS = 8_000_000;

const FIT_FRAME = `scale=w=min(${MAX_FRAME_SIDE}\\,iw):h=min(${MAX_FRAME_SIDE}\\,ih):force_original_aspect_ratio=decrease`;
const FIT_PICTURE = `scale=w=ceil(iw*min(1\\,sqrt(${MAX_PICTURE_PIXELS}/(iw*ih)))):h=-1`;

type Run = ProbeRun & MeasureRun;

/** See `MediaTools.toFrames`. */
export async function toFrames(
  path: string,
  directory: string,
  { maxCount, everyMs }: Omit<FrameOptions, "signal">,
  run: Run,
): Promise<string[]> {
  const found = await readTracks(path, run);
  const track = findPictures(found.tracks);
  if (!track.isKnown) throw toUnsupported("the video", track.codec);
  checkFrameSize(track);
  // What the file claims would do for most, and put all frames behind the end of the others.
  const seconds = (await measurePictures(path, { track, found }, run)) ?? 0;
  const count = Math.max(1, Math.min(maxCount, Math.ceil((seconds * 1000) / everyMs)));
  // The middles of `count` equal parts: first and last frames are often black.
  const places = Array.from({ length: count }, (_, at) => ((at + 0.5) / count) * seconds);
  const frames: string[] = [];
  let failure: ClipmillError | null = null;
  const take = async (options: readonly string[]): Promise<void> => {
    const framePath = join(directory, `frame-${String(frames.length).padStart(4, "0")}.png`);
    const input = { path, format: found.format, options };
    try {
      await runFfmpeg(input, toPng(`0:${track.index}`, FIT_FRAME, framePath), run);
      if (await hasContent(framePath)) frames.push(framePath);
    } catch (error) {
      // One place may be damaged, and the others whole.
      if (!isOfMedia(error)) throw error;
      failure = error;
      await rm(framePath, { force: true });
    }
  };
  for (const place of places) await take(["-ss", place.toFixed(3)]);
  if (frames.length === 0) await take([]);
  if (frames.length === 0) throw toReason(track, failure);
  return frames;
}

/** The first track that can be decoded, as far as ffprobe knows; else the first. */
function findPictures(tracks: readonly Track[]): Track {
  const pictures = tracks.filter(({ type }) => type === "video");
  const track = pictures.find(({ isKnown }) => isKnown) ?? pictures[0];
  if (track === undefined) throw toCorrupt("there is no video in the file");
  return track;
}

function toReason(track: Track, failure: ClipmillError | null): ClipmillError {
  if (failure?.code === "unsupported") return toUnsupported("the video", track.codec, failure);
  return failure ?? toCorrupt("no frame of the video can be decoded");
}

/** See `MediaTools.toPicture`. */
export async function toPicture(path: string, picturePath: string, run: Run): Promise<void> {
  const { format, tracks } = await readTracks(path, run);
  const isHeic = format.name === "heic";
  if (!isHeic) checkFrameSize(findPictures(tracks));
  try {
    await runFfmpeg({ path, format }, toPng("0:v:0", FIT_PICTURE, picturePath), run);
    if (await hasContent(picturePath)) return;
  } catch (error) {
    if (!isOfMedia(error)) throw error;
    if (isHeic) throw toUnsupported("the picture", "HEIC or AVIF", error);
    if (format.name === "webp") throw toUnsupported("the picture", "WebP (animated?)", error);
    throw error;
  }
  throw toCorrupt("there is no picture in the file");
}

function toPng(map: string, filter: string, target: string): FfmpegOutput[] {
  const picture = ["-map", map, "-frames:v", "1", "-vf", `${filter},format=rgb24`];
  // Not image2, which reads patterns in the path.
  return [{ options: [...picture, "-c:v", "png", "-f", "image2pipe"], target }];
}

/** Past the last frame ffmpeg writes nothing and is content. */
async function hasContent(path: string): Promise<boolean> {
  return await stat(path).then(
    ({ size }) => size > 0,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}
