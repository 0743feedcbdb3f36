import { insist } from "./not-plain.ts";

/** The bits of a parameter set of H.264 or HEVC, first to last. Past the end it throws NotPlain. */
export interface Bits {
  /** A number of so many bits, 32 at most. */
  read(count: number): number;
  /** An unsigned number in Exp-Golomb code, `ue(v)` in the standards. */
  readUe(): number;
  skip(count: number): void;
}

const MAX_ZEROS = 31;

/** `unit`: with the bytes that keep a start code from appearing (every third byte of 0, 0, 3). */
export function toBits(unit: Buffer): Bits {
  const bytes = unit.filter(
    (byte, at) => !(byte === 3 && unit[at - 1] === 0 && unit[at - 2] === 0),
  );
  let place = 0;
  const skip = (count: number): void => {
    place += count;
    insist(place <= bytes.length * 8);
  };
  const read = (count: number): number => {
    const start = place;
    skip(count);
    let value = 0;
    for (let at = start; at < place; at++) {
      value = value * 2 + (((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1);
    }
    return value;
  };
  const readUe = (): number => {
    let zeros = 0;
    while (read(1) === 0) insist(++zeros <= MAX_ZEROS);
    return 2 ** zeros - 1 + read(zeros);
  };
  return { read, readUe, skip };
}
