import { createReadStream } from "node:fs";

/** Of the plain header that ffmpeg writes with `bitexact`. */
export const WAV_HEADER_BYTES = 44;

/** The loudness of a 16-bit WAV file in dB of full scale (RMS over all of it); `-Infinity` for digital silence. */
export async function readLevelDb(wavPath: string): Promise<number> {
  let squares = 0;
  let count = 0;
  let odd: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(wavPath, { start: WAV_HEADER_BYTES })) {
    const bytes: Buffer = odd.length === 0 ? chunk : Buffer.concat([odd, chunk]);
    const even = bytes.length - (bytes.length % 2);
    for (let at = 0; at < even; at += 2) squares += bytes.readInt16LE(at) ** 2;
    count += even / 2;
    odd = bytes.subarray(even);
  }
  return count === 0 ? -Infinity : 10 * Math.log10(squares / count / 32_768 ** 2);
}
