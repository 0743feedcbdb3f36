import { readdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { toPrintable } from "../printable.ts";

/** The endings of what a person may want to have processed, and of what they may name by mistake. */
const MEDIA_ENDING =
  /\.(?:mp4|m4v|mov|webm|mkv|avi|flv|wmv|3gp|ts|mpe?g|mp3|m4a|m4b|aac|wav|ogg|oga|opus|flac|wma|jpe?g|png|webp|gif|heic|json)$/i;

/** Why a text can only be meant as the name of a file, or null for one that may be a link or share text. */
export function findFileSign(text: string): string | null {
  if (/tiktok\.com/i.test(text) || /^[a-z][a-z0-9]{1,15}:\/\//i.test(text)) return null;
  if (/^(?:\.{0,2}\/|~\/|[a-z]:[\\/])/i.test(text)) return "of how it begins";
  if (MEDIA_ENDING.test(text) && text.length <= 255) return "of its ending";
  return /^[^\s:]+\.[a-z0-9]{2,4}$/i.test(text) ? "of its ending" : null;
}

/** More names than this are no folder that a person has in mind. */
const MAX_NAMES = 2_000;

/**
 * The name of a file in the same folder that the text may be a slip of: other letters, case or accents, or without its
 * ending. Null if nothing is near.
 */
export async function findNearestName(text: string): Promise<string | null> {
  const wanted = toPlain(basename(text));
  if (wanted.length < 2 || wanted.length > 255) return null;
  const names = await readdir(dirname(text)).catch(() => []);
  let nearest: { name: string; distance: number } | null = null;
  for (const name of names.slice(0, MAX_NAMES)) {
    const plain = toPlain(name);
    const isStem = MEDIA_ENDING.test(name) && plain.startsWith(`${wanted}.`);
    const limit = Math.max(1, Math.floor(wanted.length / 4));
    const distance = isStem ? 0 : toDistance(wanted, plain, limit);
    if (distance <= limit && (nearest === null || distance < nearest.distance)) {
      nearest = { name, distance };
    }
  }
  return nearest === null ? null : toPrintable(nearest.name);
}

/** macOS writes accents apart from their letters. */
function toPlain(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

/** Levenshtein's distance, or more than `limit` as soon as that is certain. */
function toDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) > limit) return limit + 1;
    row = next;
  }
  return row[b.length] ?? limit + 1;
}
