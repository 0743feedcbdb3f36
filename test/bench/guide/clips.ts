import { execFile } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { samplePosts, toSamplePath } from "@clipmill/sandbox";
import { POST_KINDS, type PostKindName } from "./post-ids.ts";

/** How many different files of each kind are made; more posts than files share their sound. */
export type ClipCounts = Partial<Record<PostKindName, number>>;

const run = promisify(execFile);
/** Files that one ffmpeg makes: starting it costs more than two of them. */
const AT_ONCE = 16;
/** Each clip hears the same noise from another moment on, so that no two have the same sound, whatever their kinds. */
const STEP_SECONDS = 0.25;
const KIND_STEP_SECONDS = 0.02;
const LOOP_SECONDS = 12;
const VIDEO = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];

/**
 * Makes the files that the stand-ins serve: `<kind>-<n>.mp4` (`.m4a` for a slideshow), `cover.jpg` and
 * `slide-<n>.jpg`. Sound of 64 kbit/s in stereo and a small picture: a clip of 12 s has about 120 kB.
 */
export async function makeClips(directory: string, counts: ClipCounts): Promise<void> {
  await mkdir(directory, { recursive: true });
  const wanted = Object.entries(counts) as [PostKindName, number][];
  const longest = Math.max(
    ...wanted.map(([kind, count]) => POST_KINDS[kind].seconds + (count + 1) * STEP_SECONDS),
  );
  const noise = join(directory, "noise.wav");
  const loop = join(directory, "loop.mp4");
  const still = join(directory, "still.mp4");
  await copyPictures(directory);
  const source = `anoisesrc=color=pink:amplitude=0.3:seed=1:duration=${longest}`;
  await ffmpeg("-f", "lavfi", "-i", source, "-ar", "44100", "-ac", "2", noise);
  const pattern = `testsrc=size=180x320:rate=15:duration=${LOOP_SECONDS}`;
  await ffmpeg("-f", "lavfi", "-i", pattern, ...VIDEO, "-crf", "40", loop);
  const cover = ["-loop", "1", "-framerate", "5", "-t", "9", "-i", join(directory, "cover.jpg")];
  await ffmpeg(...cover, "-vf", "scale=360:-2", ...VIDEO, still);
  for (const [kind, count] of wanted) {
    for (let from = 0; from < count; from += AT_ONCE) {
      const until = Math.min(count, from + AT_ONCE);
      await makeBatch({
        directory,
        noise,
        picture: kind === "silent" ? still : loop,
        kind,
        from,
        until,
      });
    }
  }
}

interface Batch {
  directory: string;
  noise: string;
  picture: string;
  kind: PostKindName;
  from: number;
  until: number;
}

async function makeBatch({ directory, noise, picture, kind, from, until }: Batch): Promise<void> {
  const { seconds } = POST_KINDS[kind];
  const numbers = Array.from({ length: until - from }, (_, i) => from + i);
  const length = ["-t", String(seconds)];
  const inputs = numbers.flatMap((n) => {
    const from = n * STEP_SECONDS + POST_KINDS[kind].digit * KIND_STEP_SECONDS;
    return ["-ss", String(from), ...length, "-i", noise];
  });
  const video = kind === "slideshow" ? [] : ["-map", "0:v", "-c:v", "copy"];
  const audio = ["-c:a", "aac", "-aac_coder", "fast", "-b:a", "64k", "-movflags", "+faststart"];
  const loops = String(Math.ceil(seconds / LOOP_SECONDS) - 1);
  const outputs = numbers.flatMap((n, i) => {
    const path = join(directory, toClipName(kind, n));
    return [...video, "-map", `${i + 1}:a`, ...audio, ...length, path];
  });
  await ffmpeg("-stream_loop", loops, "-i", picture, ...inputs, ...outputs);
}

export function toClipName(kind: PostKindName, n: number): string {
  return `${kind}-${n}.${kind === "slideshow" ? "m4a" : "mp4"}`;
}

/** Pictures with text on them: those of the sandbox's slideshow, which are of our own making. */
async function copyPictures(directory: string): Promise<void> {
  const slideshow = samplePosts().find(({ kind }) => kind === "slideshow");
  const slides = slideshow?.files.filter(({ role }) => role === "slide") ?? [];
  if (slides.length === 0) throw new Error("the sandbox's pack has no slideshow");
  for (const [n, slide] of slides.entries())
    await copyFile(toSamplePath(slide), join(directory, `slide-${n}.jpg`));
  await copyFile(join(directory, "slide-0.jpg"), join(directory, "cover.jpg"));
  await writeFile(join(directory, "slides.json"), JSON.stringify(slides.length));
}

async function ffmpeg(...args: string[]): Promise<void> {
  await run("ffmpeg", ["-v", "error", "-nostdin", "-y", ...args]);
}
