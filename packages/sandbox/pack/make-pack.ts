/**
 * Renders the sample pack: node packages/sandbox/pack/make-pack.ts
 * Needs Debian's flite, ffmpeg, fonts-dejavu-core and, for the score, pocketsphinx. The outputs are committed; run
 * this again, and format pack.json, only to change the pack.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Segment, sha256 } from "@clipmill/domain";
import type { SampleFile, SamplePost } from "../src/sample-posts.ts";
import { wordRecall } from "../src/asr/word-recall.ts";
import { type Draft, drafts } from "./drafts.ts";

const PACK = fileURLToPath(new URL(".", import.meta.url));
const MEDIA = join(PACK, "media");
const CONTENT_TYPES = { mp4: "video/mp4", m4a: "audio/mp4", jpg: "image/jpeg" } as const;
const SIZE = "360x640";
const SCREEN_MS = 2_000;
const PAUSE_MS = 250;
/** What the brief of the pack promises; under it the wording has to change. */
const MIN_RECALL = 0.9;

/** Main profile and 8 bit: what the ffmpeg of 2018 that the demo may fall back on can decode. */
const X264 = "-c:v libx264 -preset veryslow -crf 27 -profile:v main -pix_fmt yuv420p -g 48".split(
  " ",
);

/**
 * A chord that steps down every two seconds. pocketsphinx is through with six seconds of it in 0.8 s and hears "mm";
 * plucked notes kept it busy for 5 s and more.
 */
const TUNE = [220, 277, 330]
  .map((hertz) => `0.15*sin(2*PI*t*${hertz}*pow(0.8909,floor(t/2)))`)
  .join("+");

const scratch = mkdtempSync(join(tmpdir(), "clipmill-pack-"));
let scratchFiles = 0;

function newScratchPath(extension: string): string {
  return join(scratch, `${scratchFiles++}.${extension}`);
}

/** One thread and no version strings, so that the same tools give the same bytes. */
function ffmpeg(inputs: readonly string[], outputs: readonly string[]): void {
  const exact =
    "-threads 1 -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact";
  execFileSync("ffmpeg", ["-v", "error", "-y", ...inputs, ...exact.split(" "), ...outputs]);
}

function probeMs(path: string): number {
  const seconds = execFileSync("ffprobe", [
    "-v",
    "error",
    "-show_entries",
    "format=duration",
    "-of",
    "csv=p=0",
    path,
  ]);
  return Math.round(Number(seconds.toString()) * 1000);
}

interface Sound {
  wavPath: string | null;
  segments: Segment[];
  durationMs: number;
}

/** Sentences are spoken one by one, which gives their exact times. */
function renderSound(sound: Draft["sound"]): Sound {
  if (sound.kind === "none") return { wavPath: null, segments: [], durationMs: 0 };
  const wavPath = newScratchPath("wav");
  if (sound.kind === "music") {
    ffmpeg(["-f", "lavfi", "-i", `aevalsrc='${TUNE}':s=32000:d=${sound.seconds}`], [wavPath]);
    return { wavPath, segments: [], durationMs: sound.seconds * 1000 };
  }
  const segments: Segment[] = [];
  const parts: string[] = [];
  let atMs = 0;
  for (const sentence of sound.sentences) {
    const spoken = newScratchPath("wav");
    const part = newScratchPath("wav");
    execFileSync("flite", ["-voice", sound.voice, "-t", sentence, "-o", spoken]);
    ffmpeg(["-i", spoken], ["-af", `apad=pad_dur=${PAUSE_MS}ms`, part]);
    const endMs = atMs + probeMs(spoken);
    segments.push({ startMs: atMs, endMs, text: sentence });
    parts.push(part);
    atMs = endMs + PAUSE_MS;
  }
  const inputs = parts.flatMap((part) => ["-i", part]);
  ffmpeg(inputs, ["-filter_complex", `concat=n=${parts.length}:v=0:a=1`, wavPath]);
  return { wavPath, segments, durationMs: atMs };
}

/** At 36 px a line of 14 letters fits into 360 px; smaller text is what OCR misreads first. */
function toDrawtext(text: string, options: { y: string; fromMs?: number; toMs?: number }): string {
  const textPath = newScratchPath("txt");
  writeFileSync(textPath, wrap(text.replace(/\.$/, ""), 14));
  const { y, fromMs = 0, toMs } = options;
  const when = toMs === undefined ? "" : `:enable='between(t,${fromMs / 1000},${toMs / 1000})'`;
  return `drawtext=font='DejaVu Sans':textfile=${textPath}:fontcolor=white:fontsize=36:line_spacing=10:x=(w-text_w)/2:y=${y}${when}`;
}

function wrap(text: string, width: number): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n");
}

/** With speech: the screen line as a heading and a caption per sentence. Without: one screen after the other. */
function toOverlay(draft: Draft, segments: readonly Segment[]): string[] {
  if (segments.length === 0) {
    return draft.screenLines.map((line, i) =>
      toDrawtext(line, { y: "(h-text_h)/2", fromMs: i * SCREEN_MS, toMs: (i + 1) * SCREEN_MS - 1 }),
    );
  }
  return [
    ...draft.screenLines.map((line) => toDrawtext(line, { y: "80" })),
    ...segments.map(({ text, startMs, endMs }) =>
      toDrawtext(text, { y: "300", fromMs: startMs, toMs: endMs + PAUSE_MS - 1 }),
    ),
  ];
}

function renderVideo(draft: Draft, sound: Sound, path: string): void {
  const lengthMs = sound.durationMs || draft.screenLines.length * SCREEN_MS;
  const shape = `s=${SIZE}:r=12:d=${lengthMs / 1000}`;
  const source =
    draft.picture.kind === "captions"
      ? [`color=c=${draft.picture.colour}:${shape}`, ...toOverlay(draft, sound.segments)].join(",")
      : `gradients=${shape}:c0=0x203a60:c1=0x603020:speed=0.02:seed=1`;
  const audio = sound.wavPath === null ? [] : ["-i", sound.wavPath];
  const track = sound.wavPath === null ? ["-an"] : toAac();
  ffmpeg(
    ["-f", "lavfi", "-i", source, ...audio],
    [...X264, ...track, "-movflags", "+faststart", path],
  );
}

/** 48 kbit/s mono at the voices' own rate: pocketsphinx scores as on the WAV. */
function toAac(): string[] {
  return ["-c:a", "aac", "-b:a", "48k", "-ac", "1", "-ar", "16000"];
}

function renderSlide(text: string, colour: string, path: string): void {
  const source = `color=c=${colour}:s=${SIZE},${toDrawtext(text, { y: "(h-text_h)/2" })}`;
  ffmpeg(["-f", "lavfi", "-i", source], ["-frames:v", "1", "-q:v", "4", path]);
}

function toSampleFile(name: string, role: SampleFile["role"]): SampleFile {
  const path = join(MEDIA, name);
  const extension = name.split(".").at(-1) as keyof typeof CONTENT_TYPES;
  return {
    name,
    role,
    sha256: sha256(readFileSync(path)),
    bytes: statSync(path).size,
    contentType: CONTENT_TYPES[extension],
  };
}

function renderFiles(draft: Draft, sound: Sound): SampleFile[] {
  const { picture, id } = draft;
  if (picture.kind === "none") return [];
  if (picture.kind === "slides") {
    const slides = draft.screenLines.map((line, i) => {
      renderSlide(line, picture.colours[i] ?? "black", join(MEDIA, `${id}-${i + 1}.jpg`));
      return toSampleFile(`${id}-${i + 1}.jpg`, "slide");
    });
    ffmpeg(["-i", sound.wavPath ?? ""], [...toAac(), join(MEDIA, `${id}.m4a`)]);
    return [...slides, toSampleFile(`${id}.m4a`, "audio")];
  }
  const video = join(MEDIA, `${id}.mp4`);
  renderVideo(draft, sound, video);
  ffmpeg(["-ss", "0.5", "-i", video], ["-frames:v", "1", "-q:v", "5", join(MEDIA, `${id}.jpg`)]);
  return [toSampleFile(`${id}.mp4`, "video"), toSampleFile(`${id}.jpg`, "cover")];
}

function render(draft: Draft): SamplePost {
  const sound = renderSound(draft.sound);
  const files = renderFiles(draft, sound);
  const { picture: _picture, sound: _sound, ...post } = draft;
  const playable = files.find(({ role }) => role === "video" || role === "audio");
  const path = draft.kind === "slideshow" ? "photo" : "video";
  return {
    ...post,
    url: `https://www.tiktok.com/@${draft.creator.uniqueId}/${path}/${draft.id}`,
    durationMs: playable === undefined ? 0 : probeMs(join(MEDIA, playable.name)),
    files,
    words: draft.sound.kind === "speech" ? draft.sound.sentences.join(" ") : null,
    segments: sound.segments,
  };
}

/** What pocketsphinx hears in the finished file: all of the words, or, where nobody speaks, next to nothing. */
function score(post: SamplePost): string | null {
  const playable = post.files.find(({ role }) => role === "video" || role === "audio");
  if (playable === undefined || post.kind === "screen-text") return null;
  const wavPath = newScratchPath("wav");
  ffmpeg(["-i", join(MEDIA, playable.name)], ["-ac", "1", "-ar", "16000", wavPath]);
  const heard = execFileSync("pocketsphinx_continuous", ["-infile", wavPath], {
    stdio: ["ignore", "pipe", "ignore"],
  })
    .toString()
    .replace(/\s+/g, " ")
    .trim();
  if (post.words === null) {
    if (heard.length >= 20) throw new Error(`${post.id}: music sounds like "${heard}"`);
    return `music, heard "${heard}"`;
  }
  const recall = wordRecall(post.words, heard);
  if (recall < MIN_RECALL)
    throw new Error(`${post.id}: ${recall.toFixed(2)} of the words in "${heard}"`);
  return `recall ${recall.toFixed(2)}: ${heard}`;
}

try {
  rmSync(MEDIA, { recursive: true, force: true });
  mkdirSync(MEDIA);
  const posts = drafts.map(render);
  writeFileSync(join(PACK, "pack.json"), `${JSON.stringify(posts, null, 2)}\n`);
  for (const post of posts) {
    const bytes = post.files.reduce((sum, file) => sum + file.bytes, 0);
    process.stdout.write(`${post.id} ${post.kind}, ${bytes} bytes, ${score(post) ?? "no sound"}\n`);
  }
} finally {
  rmSync(scratch, { recursive: true });
}
