import { execFileSync, spawnSync } from "node:child_process";

export const hasFfmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;

/** Whether the machine's ffmpeg was built with an encoder. */
export function hasEncoder(name: string): boolean {
  const { stdout } = spawnSync("ffmpeg", ["-hide_banner", "-encoders"], { encoding: "utf8" });
  return (stdout ?? "").includes(` ${name} `);
}

/** Where ffmpeg's own sources stand for sound and picture. */
export const SOURCES = {
  tone: (seconds: number) => ["-f", "lavfi", "-i", `sine=frequency=440:duration=${seconds}`],
  pattern: (seconds: number, size = "180x320") =>
    `-f lavfi -i testsrc=size=${size}:rate=15:duration=${seconds}`.split(" "),
};
const VIDEO = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];

/** Makes a media file with the machine's own ffmpeg. */
export function makeMedia(path: string, ...args: string[]): string {
  execFileSync("ffmpeg", ["-v", "error", "-nostdin", "-y", ...args, path]);
  return path;
}

/** An MP4 with a pattern and a tone. */
export function makeClip(path: string, seconds = 2): string {
  const inputs = [...SOURCES.pattern(seconds), ...SOURCES.tone(seconds)];
  return makeMedia(
    path,
    ...inputs,
    ...VIDEO,
    "-c:a",
    "aac",
    "-shortest",
    "-movflags",
    "+faststart",
  );
}

/** An MP4 with a pattern and no audio track. */
export function makeSilentClip(path: string, seconds = 1): string {
  return makeMedia(path, ...SOURCES.pattern(seconds), ...VIDEO);
}
