import { execFileSync, spawnSync } from "node:child_process";

/** Whether a program answers on this machine; tests that need a missing one are skipped by name. */
export function hasProgram(path: string, ...args: string[]): boolean {
  return spawnSync(path, args, { stdio: "ignore" }).error === undefined;
}

/** A spoken sentence as 16 kHz mono WAV. */
export function speakWithFlite(text: string, wavPath: string): void {
  execFileSync("flite", ["-voice", "awb", "-t", text, "-o", wavPath]);
}

/** A frame of 720 × 1280 with lines of white text on a plain or a noisy ground. */
export function drawWithFfmpeg(
  lines: readonly string[],
  pngPath: string,
  { noise = 0 }: { noise?: number } = {},
): void {
  const texts = lines.map(
    (line, at) => `drawtext=text='${line}':fontcolor=white:fontsize=60:x=60:y=${500 + at * 100}`,
  );
  const picture = ["color=c=0x336699:s=720x1280", `noise=alls=${noise}`, ...texts].join(",");
  execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", picture, "-frames:v", "1", pngPath]);
}

/** 16 kHz mono 16-bit WAV of silence. */
export function toSilence(seconds: number): Buffer {
  const dataBytes = seconds * 32_000;
  const wav = Buffer.alloc(44 + dataBytes);
  wav.write("RIFF\0\0\0\0WAVEfmt ", "latin1");
  wav.writeUInt32LE(36 + dataBytes, 4);
  for (const [at, value] of [16, 0x0001_0001, 16_000, 32_000, 0x0010_0002].entries()) {
    wav.writeUInt32LE(value, 16 + at * 4);
  }
  wav.write("data", 36, "latin1");
  wav.writeUInt32LE(dataBytes, 40);
  return wav;
}
