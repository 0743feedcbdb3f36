/** A kind of file that clipmill processes, told by its first bytes. Names and Content-Type headers lie. */
export interface MediaFormat {
  readonly name:
    | "mp4"
    | "webm"
    | "mp3"
    | "aac"
    | "flac"
    | "wav"
    | "jpeg"
    | "png"
    | "webp"
    | "gif"
    | "heic"
    | "other";
  /** `av` may hold sound, pictures or both; `audio` is never asked for pictures. */
  readonly kind: "av" | "audio" | "image";
  /**
   * The only ffmpeg demuxer that may open the file, so that a playlist inside is never followed. Null: ffmpeg finds out
   * itself, among those that read nothing but the file (`input-options.ts`).
   */
  readonly demuxer: string | null;
}

const FORMATS = {
  mp4: { name: "mp4", kind: "av", demuxer: "mov" },
  webm: { name: "webm", kind: "av", demuxer: "matroska" },
  mp3: { name: "mp3", kind: "audio", demuxer: "mp3" },
  aac: { name: "aac", kind: "audio", demuxer: "aac" },
  flac: { name: "flac", kind: "audio", demuxer: "flac" },
  wav: { name: "wav", kind: "audio", demuxer: "wav" },
  jpeg: { name: "jpeg", kind: "image", demuxer: "jpeg_pipe" },
  png: { name: "png", kind: "image", demuxer: "png_pipe" },
  webp: { name: "webp", kind: "image", demuxer: "webp_pipe" },
  gif: { name: "gif", kind: "image", demuxer: "gif" },
  heic: { name: "heic", kind: "image", demuxer: "mov" },
  other: { name: "other", kind: "av", demuxer: null },
} as const satisfies Record<string, MediaFormat>;

/** How many bytes `sniffMedia` wants; fewer may leave a format unknown. */
export const SNIFF_BYTES = 16;

/** Top-level boxes that old QuickTime files start with instead of `ftyp`. */
const QUICKTIME_BOXES = new Set(["moov", "mdat", "wide", "free", "skip"]);
const STILL_BRANDS = new Set([
  "heic",
  "heix",
  "hevc",
  "heim",
  "heis",
  "mif1",
  "msf1",
  "avif",
  "avis",
]);

/** How files start that hold no media, and that people and servers send in its place. */
const NO_MEDIA = ["PK\x03\x04", "%PDF", "\x1f\x8b", "\x7fELF", "MZ"];

/**
 * The format of a file that starts so. `other` is for ffmpeg to say; null is certainly no media: text, an
 * archive, or next to nothing.
 */
export function sniffMedia(start: Uint8Array): MediaFormat | null {
  const head = start.subarray(0, SNIFF_BYTES);
  return findFormat(head) ?? (isNoMedia(head) ? null : FORMATS.other);
}

function findFormat(head: Uint8Array): MediaFormat | null {
  const ascii = (from: number, to: number) =>
    Buffer.from(head.subarray(from, to)).toString("latin1");
  const [b0 = 0, b1 = 0] = head;

  const box = ascii(4, 8);
  if (box === "ftyp") return STILL_BRANDS.has(ascii(8, 12)) ? FORMATS.heic : FORMATS.mp4;
  if (QUICKTIME_BOXES.has(box)) return FORMATS.mp4;
  if (ascii(0, 4) === "\x1a\x45\xdf\xa3") return FORMATS.webm;
  if (ascii(0, 4) === "RIFF") {
    const form = ascii(8, 12);
    return form === "WAVE" ? FORMATS.wav : form === "WEBP" ? FORMATS.webp : null;
  }
  if (ascii(0, 3) === "\xff\xd8\xff") return FORMATS.jpeg;
  if (ascii(0, 8) === "\x89PNG\r\n\x1a\n") return FORMATS.png;
  if (/^GIF8[79]a/.test(ascii(0, 6))) return FORMATS.gif;
  if (ascii(0, 3) === "ID3") return FORMATS.mp3;
  if (ascii(0, 4) === "fLaC") return FORMATS.flac;
  // An MPEG frame starts with eleven set bits, version and layer: III is MP3, none is AAC's ADTS. Layers I and II
  // are left out, for they would let a UTF-16 byte order mark pass.
  if (b0 === 0xff && (b1 & 0xf6) === 0xf0) return FORMATS.aac;
  if (b0 === 0xff && (b1 & 0xe6) === 0xe2 && (b1 & 0x18) !== 0x08) return FORMATS.mp3;
  return null;
}

/** No media file is shorter than this. */
const MIN_HEAD_BYTES = 8;

function isNoMedia(head: Uint8Array): boolean {
  if (head.byteLength < MIN_HEAD_BYTES) return true;
  const start = Buffer.from(head).toString("latin1");
  return NO_MEDIA.some((other) => start.startsWith(other)) || isText(head);
}

/** UTF-8 without control characters, or UTF-16 with its mark. No media that we know starts with 16 such bytes. */
function isText(head: Uint8Array): boolean {
  const [b0, b1, b2, b3] = head;
  if ((b0 === 0xff && b1 === 0xfe && b3 === 0) || (b0 === 0xfe && b1 === 0xff && b2 === 0))
    return true;
  try {
    // As a stream, since the head may end within a character.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return !/[^\P{Cc}\t\n\r\f]/u.test(text);
  } catch {
    return false;
  }
}
