import { readFileSync, writeFileSync } from "node:fs";
import { makeMedia, SOURCES } from "./media-fixtures.ts";

/** Where an MP4 says which codec the tracks of a kind have, besides their mark. */
const DETAILS = { mp4a: "esds", avc1: "avcC" };

/**
 * Writes a copy of an MP4 whose tracks with one mark have another, of four letters, that no program knows. `count`: only
 * so many of them, the first ones.
 */
export function changeCodec(
  source: string,
  path: string,
  { from, to, count = Infinity }: { from: keyof typeof DETAILS; to: string; count?: number },
): string {
  const bytes = readFileSync(source);
  // The word also stands among the brands at the start of the file.
  let at = bytes.indexOf("stsd");
  for (let changed = 0; changed < count; changed++) {
    at = bytes.indexOf(from, at);
    if (at < 0) break;
    bytes.write(to, at, "latin1");
    bytes.write("free", bytes.indexOf(DETAILS[from], at), "latin1");
  }
  if (!bytes.includes(to)) throw new Error(`no track is ${from}`);
  writeFileSync(path, bytes);
  return path;
}

/** The words of an MP4's boxes that claim a duration, with the place of the duration after the word. */
const CLAIMS = { mvhd: 20, tkhd: 24, mdhd: 20 };

/** Writes a copy of an MP4 that claims to last `ticks` of its own clocks, wherever it says how long it lasts. */
export function claimDuration(source: string, path: string, ticks: number): string {
  const bytes = readFileSync(source);
  for (const [box, after] of Object.entries(CLAIMS)) {
    for (let at = bytes.indexOf(box); at >= 0; at = bytes.indexOf(box, at + 1))
      bytes.writeUInt32BE(ticks, at + after);
  }
  // Without its edit list, which says the duration as well.
  for (let at = bytes.indexOf("edts"); at >= 0; at = bytes.indexOf("edts")) bytes.write("free", at);
  writeFileSync(path, bytes);
  return path;
}

/** An ID3v2 tag with so many bytes of padding. */
export function toTag(paddingBytes: number): Buffer {
  const size = [21, 14, 7, 0].map((shift) => (paddingBytes >> shift) & 0x7f);
  return Buffer.concat([
    Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, ...size]),
    Buffer.alloc(paddingBytes),
  ]);
}

/** Six seconds of picture; a tone from `from` to 2 s, and another from 4 to 6 s. */
export function makeGappedClip(path: string, from = 0): string {
  const move = `[0][1]concat=n=2:v=0:a=1,asetpts='PTS+${from}/TB+gte(T,${2 - from})*2/TB'[sound]`;
  return makeMedia(
    path,
    ...SOURCES.tone(2 - from),
    ...SOURCES.tone(2),
    ...SOURCES.pattern(6, "64x64"),
    "-filter_complex",
    move,
    ..."-map 2:v -map [sound] -pix_fmt yuv420p".split(" "),
    ...(path.endsWith(".webm") ? ["-deadline", "realtime"] : ["-preset", "ultrafast"]),
  );
}

const RATE = 16_000;
const LOUD = 600;

/** Where there is sound in a 16 kHz mono WAV, in seconds; silences under 0.3 s are passed over. */
export function findSounds(wavPath: string): { from: number; to: number }[] {
  const wav = readFileSync(wavPath);
  const sounds: { from: number; to: number }[] = [];
  for (let at = 44; at + 2 <= wav.length; at += 2) {
    if (Math.abs(wav.readInt16LE(at)) < LOUD) continue;
    const seconds = (at - 44) / 2 / RATE;
    const last = sounds.at(-1);
    if (last !== undefined && seconds - last.to < 0.3) last.to = seconds;
    else sounds.push({ from: seconds, to: seconds });
  }
  return sounds;
}
