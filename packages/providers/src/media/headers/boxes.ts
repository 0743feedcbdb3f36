import { insist, insistOn } from "./not-plain.ts";

/** More than any index needs on one level; comments of an encoder are a handful. */
const MAX_BOXES = 256;
const HEAD_BYTES = 8;

export interface Box {
  type: string;
  /** Without the box's head. */
  content: Buffer;
}

/** The boxes that fill these bytes to the last one. Throws NotPlain where they do not. */
export function toBoxes(bytes: Buffer): Box[] {
  const boxes: Box[] = [];
  let at = 0;
  while (at < bytes.length) {
    insist(at + HEAD_BYTES <= bytes.length && boxes.length < MAX_BOXES);
    const size = bytes.readUInt32BE(at);
    // 0 (to the end) and 1 (64 bits) are for boxes of media, not for those of an index.
    insist(size >= HEAD_BYTES && at + size <= bytes.length);
    boxes.push({
      type: toType(bytes, at + 4),
      content: bytes.subarray(at + HEAD_BYTES, at + size),
    });
    at += size;
  }
  return boxes;
}

export function toType(bytes: Buffer, at: number): string {
  return bytes.toString("latin1", at, at + 4);
}

/** Boxes of which each type stands at most once. */
export interface BoxMap {
  /** Throws NotPlain where there is none. */
  get(type: string): Buffer;
  find(type: string): Buffer | undefined;
}

/** Throws NotPlain for a type that is not allowed here, or that stands twice. */
export function toBoxMap(boxes: readonly Box[], allowed: readonly string[]): BoxMap {
  const map = new Map<string, Buffer>();
  for (const { type, content } of boxes) {
    insist(allowed.includes(type) && !map.has(type));
    map.set(type, content);
  }
  return { get: (type) => insistOn(map.get(type)), find: (type) => map.get(type) };
}

/** Of a table that follows version, flags and a count: its entries. Throws NotPlain unless they fill the box. */
export function toEntries(table: Buffer, entryBytes: number): { count: number; entries: Buffer } {
  const count = table.readUInt32BE(4);
  insist(table.length === HEAD_BYTES + count * entryBytes);
  return { count, entries: table.subarray(HEAD_BYTES) };
}
