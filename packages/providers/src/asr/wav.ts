/** Of 16 kHz mono 16-bit PCM, which is what recognisers get. */
export const WAV_BYTES_PER_MS = 32;

const HEADER_BYTES = 44;

/** The header of a 16 kHz mono 16-bit WAV file with this much sound behind it. */
export function toWavHeader(soundBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(HEADER_BYTES - 8 + soundBytes, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(16_000, 24);
  header.writeUInt32LE(32_000, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(soundBytes, 40);
  return header;
}

/** Where the sound begins in a WAV file that begins so; null for what is no WAV file, or not within these bytes. */
export function findSoundStart(head: Buffer): number | null {
  if (head.toString("latin1", 0, 4) !== "RIFF" || head.toString("latin1", 8, 12) !== "WAVE")
    return null;
  for (let at = 12; at + 8 <= head.length;) {
    if (head.toString("latin1", at, at + 4) === "data") return at + 8;
    const bytes = head.readUInt32LE(at + 4);
    at += 8 + bytes + (bytes % 2);
  }
  return null;
}
