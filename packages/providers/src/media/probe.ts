import { type ProbedMedia, UnrecoverableError } from "@clipmill/domain";
import { measureSeconds, type MeasureRun } from "./measure.ts";
import { checkFrameSize, type ProbeRun, readTracks } from "./tracks.ts";

const PICTURE: ProbedMedia = { durationMs: 0, hasAudio: false, hasVideo: false, unknownCodecs: [] };

/** See `MediaTools.probe`. Pictures have neither audio nor video, and that is no error: cover art is not video either. */
export async function probe(path: string, run: ProbeRun & MeasureRun): Promise<ProbedMedia> {
  const found = await readTracks(path, run);
  const { format, tracks } = found;
  const has = (type: string) => tracks.some((track) => track.type === type);
  const [hasAudio, hasVideo] = [has("audio"), has("video")];
  // Beside sound, pictures that cannot be decoded are only pictures that are not read.
  if (!hasAudio) for (const track of tracks) if (track.isKnown) checkFrameSize(track);
  if (format.kind === "image") return PICTURE;
  if (!hasAudio && !hasVideo) {
    throw new UnrecoverableError("no_content", "the file holds neither audio nor video");
  }
  const durationMs = Math.round((await measureSeconds(path, found, run)) * 1000);
  const unknownCodecs = tracks.filter(({ isKnown }) => !isKnown).map(({ codec }) => codec);
  return { durationMs, hasAudio, hasVideo, unknownCodecs };
}
