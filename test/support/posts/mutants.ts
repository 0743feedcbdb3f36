/** How many bytes of a JPEG's start hold its header; a PNG's ends where its pixels start. */
const PICTURE_HEADER_BYTES = 700;

/** A copy of a file with one to three bytes changed in what describes it: the index of an MP4, the header of a picture. */
export function toMutant(file: Buffer, seed: number): Buffer {
  const random = toRandom(seed);
  const index = file.indexOf("moov") - 4;
  const pixels = file.indexOf("IDAT");
  const [start, length] =
    index >= 0
      ? [index, file.readUInt32BE(index)]
      : [0, pixels >= 0 ? pixels : PICTURE_HEADER_BYTES];
  const mutant = Buffer.from(file);
  for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
    const at = start + Math.floor(random() * length);
    const values = [0, 0xff, Math.floor(random() * 256), (file[at] ?? 0) ^ (1 << (random() * 8))];
    mutant[at] = values[Math.floor(random() * values.length)] ?? 0;
  }
  return mutant;
}

/** Numbers from 0 to 1, always the same ones for a seed (mulberry32). */
function toRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
