import { hasEncoder, SOURCES } from "./media-fixtures.ts";

export interface CorpusEntry {
  /** File name; its ending says which container. */
  name: string;
  /** What ffmpeg makes it with. */
  args: readonly string[];
  /** Whether its headers alone say everything. */
  isPlain: boolean;
  /** An encoder of ffmpeg that not every machine has. */
  encoder?: string;
}

const words = (text: string): string[] => text.split(" ");
const CLIP = [...SOURCES.pattern(2), ...SOURCES.tone(2)];
const H264 = words("-c:v libx264 -preset ultrafast -pix_fmt yuv420p");
const AAC = words("-c:a aac");
const BOTH = [...CLIP, ...H264, ...AAC];

/** Videos and sounds as encoders write them, and odd ones. */
export const CORPUS: readonly CorpusEntry[] = [
  { name: "usual.mp4", args: [...BOTH, ...words("-movflags +faststart")], isPlain: true },
  { name: "index-last.mp4", args: BOTH, isPlain: true },
  {
    name: "b-frames.mp4",
    args: [...CLIP, ...words("-c:v libx264 -bf 3 -pix_fmt yuv420p"), ...AAC],
    isPlain: true,
  },
  {
    name: "tags.mp4",
    args: [...BOTH, ...words("-metadata title=A -metadata comment=vid:v1 -movflags +faststart")],
    isPlain: true,
  },
  {
    name: "keys.mp4",
    args: [...BOTH, ...words("-metadata app=1 -movflags use_metadata_tags")],
    isPlain: true,
  },
  {
    name: "high.mp4",
    args: [...CLIP, ...words("-c:v libx264 -pix_fmt yuv420p -s 182x318"), ...AAC],
    isPlain: true,
  },
  { name: "sixty.mp4", args: [...BOTH, ...words("-r 60")], isPlain: true },
  { name: "stereo.mp4", args: [...BOTH, ...words("-ac 2 -ar 48000")], isPlain: true },
  { name: "turned.mp4", args: [...BOTH, ...words("-metadata:s:v rotate=90")], isPlain: true },
  { name: "sound-first.mp4", args: [...BOTH, ...words("-map 1 -map 0")], isPlain: true },
  { name: "odd-size.mp4", args: [...BOTH, ...words("-s 178x318")], isPlain: true },
  {
    name: "variable.mp4",
    args: [
      ...CLIP,
      ...words("-vf select='not(mod(n,3))+not(mod(n,7))' -fps_mode vfr"),
      ...H264,
      ...AAC,
    ],
    isPlain: true,
  },
  {
    name: "sound-longer.mp4",
    args: [...SOURCES.pattern(1), ...SOURCES.tone(3), ...H264, ...AAC],
    isPlain: true,
  },
  {
    name: "pictures-longer.mp4",
    args: [...SOURCES.pattern(3), ...SOURCES.tone(1), ...H264, ...AAC],
    isPlain: true,
  },
  {
    name: "very-short.mp4",
    args: [...SOURCES.pattern(0.1), ...SOURCES.tone(0.1), ...H264, ...AAC],
    isPlain: true,
  },
  {
    name: "late-sound.mp4",
    args: [
      ...SOURCES.pattern(3),
      ...words("-itsoffset 1.5"),
      ...SOURCES.tone(1.5),
      ...H264,
      ...AAC,
    ],
    isPlain: true,
  },
  {
    name: "song-with-cover.m4a",
    args: [
      ...SOURCES.tone(3),
      ...words("-f lavfi -i testsrc=size=64x64:duration=1 -map 0 -map 1 -frames:v 1"),
      ...words("-c:v mjpeg -pix_fmt yuvj420p -disposition:v attached_pic"),
      ...AAC,
    ],
    isPlain: true,
  },
  { name: "sound.m4a", args: [...SOURCES.tone(3), ...AAC], isPlain: true },
  {
    name: "mp3-inside.mp4",
    args: [...CLIP, ...H264, ...words("-c:a libmp3lame")],
    isPlain: true,
    encoder: "libmp3lame",
  },
  {
    name: "opus-inside.mp4",
    args: [...CLIP, ...H264, ...words("-c:a libopus")],
    isPlain: false,
    encoder: "libopus",
  },
  {
    name: "hevc.mp4",
    args: [
      ...CLIP,
      ...words("-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p -tag:v hvc1"),
      ...AAC,
    ],
    isPlain: true,
    encoder: "libx265",
  },
  {
    name: "vp9.mp4",
    args: [...CLIP, ...words("-c:v libvpx-vp9 -deadline realtime"), ...AAC],
    isPlain: false,
    encoder: "libvpx-vp9",
  },
  // The last picture stands for longer than anybody can measure.
  {
    name: "slow.mp4",
    args: [
      ...words("-f lavfi -i testsrc=size=64x64:rate=1:duration=4"),
      ...SOURCES.tone(1),
      ...H264,
      ...AAC,
    ],
    isPlain: false,
  },
  { name: "silent.mp4", args: [...SOURCES.pattern(2), ...H264], isPlain: true },
  {
    name: "fragmented.mp4",
    args: [...BOTH, ...words("-movflags frag_keyframe+empty_moov")],
    isPlain: false,
  },
  { name: "two-sounds.mp4", args: [...BOTH, ...words("-map 0 -map 1 -map 1")], isPlain: false },
  { name: "quicktime.mov", args: BOTH, isPlain: false },
  { name: "timecode.mov", args: [...BOTH, ...words("-timecode 00:00:00:00")], isPlain: false },
  { name: "late-start.mp4", args: [...BOTH, ...words("-output_ts_offset 5")], isPlain: false },
  { name: "raw-sound.mov", args: [...SOURCES.tone(1), ...words("-c:a pcm_s16le")], isPlain: false },
  {
    name: "usual.webm",
    args: [...CLIP, ...words("-c:v libvpx -deadline realtime -c:a libopus")],
    isPlain: false,
    encoder: "libopus",
  },
  {
    name: "stereo.mp3",
    args: [...SOURCES.tone(2), ...words("-c:a libmp3lame -ac 2 -ar 48000")],
    isPlain: true,
    encoder: "libmp3lame",
  },
  {
    name: "quality.mp3",
    args: [...SOURCES.tone(2), ...words("-c:a libmp3lame -q:a 4")],
    isPlain: true,
    encoder: "libmp3lame",
  },
  {
    name: "slow.mp3",
    args: [...SOURCES.tone(2), ...words("-c:a libmp3lame -ar 22050 -b:a 32k")],
    isPlain: true,
    encoder: "libmp3lame",
  },
  {
    name: "tagged.mp3",
    args: [...SOURCES.tone(2), ...words("-c:a libmp3lame -metadata title=A -write_id3v1 1")],
    isPlain: true,
    encoder: "libmp3lame",
  },
  {
    name: "no-note.mp3",
    args: [...SOURCES.tone(2), ...words("-c:a libmp3lame -write_xing 0")],
    isPlain: false,
    encoder: "libmp3lame",
  },
  {
    name: "song.mp3",
    args: [...SOURCES.tone(2), ...words("-c:a libmp3lame")],
    isPlain: true,
    encoder: "libmp3lame",
  },
  { name: "song.wav", args: SOURCES.tone(2), isPlain: false },
];

const STILL = words("-f lavfi -i testsrc=size=360x640 -frames:v 1");

/** Pictures as covers and slides come. */
export const PICTURES: readonly CorpusEntry[] = [
  { name: "cover.jpg", args: STILL, isPlain: true },
  { name: "grey.jpg", args: [...STILL, ...words("-pix_fmt gray")], isPlain: true },
  { name: "cover.png", args: STILL, isPlain: true },
  { name: "grey.png", args: [...STILL, ...words("-pix_fmt gray")], isPlain: true },
  { name: "palette.png", args: [...STILL, ...words("-pix_fmt pal8")], isPlain: true },
  { name: "deep.png", args: [...STILL, ...words("-pix_fmt rgba64be")], isPlain: true },
  {
    name: "cover.webp",
    args: [...STILL, ...words("-c:v libwebp")],
    isPlain: false,
    encoder: "libwebp",
  },
  {
    name: "lossless.webp",
    args: [...STILL, ...words("-c:v libwebp -lossless 1")],
    isPlain: false,
    encoder: "libwebp",
  },
  { name: "film.png", args: [...SOURCES.pattern(1), ...words("-f apng")], isPlain: false },
  { name: "film.gif", args: SOURCES.pattern(1), isPlain: false },
  {
    name: "film.webp",
    args: [...SOURCES.pattern(1), ...words("-c:v libwebp_anim")],
    isPlain: false,
    encoder: "libwebp_anim",
  },
];

/** Those that the machine's ffmpeg can make. */
export function toPossible(entries: readonly CorpusEntry[]): CorpusEntry[] {
  return entries.filter(({ encoder }) => encoder === undefined || hasEncoder(encoder));
}
