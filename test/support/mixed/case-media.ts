import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type SampleFile, samplePosts, toSamplePath } from "@clipmill/sandbox";
import { hasEncoder, makeMedia, SOURCES } from "../posts/media-fixtures.ts";

/** What the planted posts are made of: the pack's files, and a few that ffmpeg makes. */
export interface CaseMedia {
  /** MP4 with speech or music. */
  clips: readonly Buffer[];
  cover: Buffer;
  slides: readonly Buffer[];
  /** M4A. */
  sound: Buffer;
  /** MP4 without an audio track. */
  silent: Buffer;
  /** MP4 that lasts 24 hours in a hundred frames. */
  day: Buffer;
  /** Null where the machine's ffmpeg cannot make one. */
  hevc: Buffer | null;
}

export function makeCaseMedia(directory: string): CaseMedia {
  const files = samplePosts().flatMap((post) => post.files);
  const read = (role: SampleFile["role"]) =>
    files.filter((file) => file.role === role).map((file) => readFileSync(toSamplePath(file)));
  const make = (name: string, ...args: string[]) =>
    readFileSync(makeMedia(join(directory, name), ...args));
  const [cover, sound] = [read("cover")[0], read("audio")[0]];
  if (cover === undefined || sound === undefined) throw new Error("the pack has no cover or sound");
  const x264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p".split(" ");
  const day = "-f lavfi -i testsrc=size=64x64:rate=1/864:duration=86400".split(" ");
  return {
    clips: read("video"),
    cover,
    slides: read("slide"),
    sound,
    silent: make("silent.mp4", ...SOURCES.pattern(1), ...x264),
    day: make("day.mp4", ...day, ...x264),
    hevc: hasEncoder("libx265")
      ? make(
          "hevc.mp4",
          ...SOURCES.pattern(1),
          ...SOURCES.tone(1),
          ..."-c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1 -c:a aac".split(
            " ",
          ),
        )
      : null,
  };
}

/** A box of an MP4 that players skip; it makes the bytes of a copy its own. */
export function toMark(id: string): Buffer {
  const box = Buffer.alloc(8 + id.length);
  box.writeUInt32BE(box.length);
  box.write(`free${id}`, 4, "latin1");
  return box;
}

/** The file without its index: every box but `moov`. */
export function withoutIndex(mp4: Buffer): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at + 8 <= mp4.length; at += mp4.readUInt32BE(at)) {
    const box = mp4.subarray(at, at + mp4.readUInt32BE(at));
    if (box.toString("latin1", 4, 8) !== "moov") kept.push(box);
  }
  return Buffer.concat(kept);
}
