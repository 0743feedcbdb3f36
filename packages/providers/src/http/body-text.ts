import { Readable, type Transform } from "node:stream";
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";

/** What we ask upstreams for: what `readBodyText` undoes. They may send compressed bodies unasked. */
export const ACCEPT_ENCODING = "gzip, deflate, br";

/** A body that is over the limit, or not what its headers say. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly reason: "too_long" | "encoding";
  constructor(reason: BodyError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

interface BodyHeaders {
  readonly [name: string]: string | readonly string[] | undefined;
}

/** More layers than this are an attack. */
const LAYERS_MAX = 3;

/**
 * The body of an answer as text. Undoes `content-encoding` (gzip, deflate, br, zstd), also gzip that no header tells of, and
 * takes the charset from the byte order mark, else from `content-type`, else UTF-8. `maxBytes` bounds what came and
 * what becomes of it: a bomb is given up there. Throws BodyError; what breaks the connection is thrown as it is.
 */
export async function readBodyText(
  body: AsyncIterable<Uint8Array>,
  headers: BodyHeaders,
  { maxBytes }: { maxBytes: number },
): Promise<string> {
  let bytes = await collect(body, maxBytes);
  const layers = readEncodings(headers);
  if (layers.length > LAYERS_MAX) throw new BodyError("encoding", "the body is packed too often");
  for (const layer of layers.toReversed()) bytes = await unpack(bytes, layer, maxBytes);
  if (isGzip(bytes)) bytes = await unpack(bytes, "gzip", maxBytes);
  return toText(bytes, headers);
}

async function collect(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new BodyError("too_long", `the body is over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readEncodings(headers: BodyHeaders): string[] {
  return [headers["content-encoding"] ?? []]
    .flat()
    .flatMap((value) => value.split(","))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

async function unpack(packed: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  if (packed.length === 0) return packed;
  const unpacker = toUnpacker(packed, encoding);
  // A proxy that unpacked the body and left the header.
  if (unpacker === null) return packed;
  try {
    return await collect(Readable.from([packed]).pipe(unpacker), maxBytes);
  } catch (cause) {
    if (cause instanceof BodyError) throw cause;
    throw new BodyError("encoding", `the body is no ${encoding}`, { cause });
  } finally {
    unpacker.destroy();
  }
}

function toUnpacker(packed: Buffer, encoding: string): Transform | null {
  switch (encoding) {
    case "gzip":
    case "x-gzip":
      return isGzip(packed) ? createGunzip() : null;
    case "deflate":
      // By the standard with a zlib header; some servers leave it off.
      return ((packed[0] ?? 0) & 0x0f) === 8 ? createInflate() : createInflateRaw();
    case "br":
      return createBrotliDecompress();
    case "zstd":
      return createZstdDecompress();
    default:
      throw new BodyError("encoding", "the body is packed in a way that is not known");
  }
}

function toText(bytes: Buffer, headers: BodyHeaders): string {
  return new TextDecoder(findCharset(bytes, headers)).decode(bytes);
}

function findCharset(bytes: Buffer, headers: BodyHeaders): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  const type = [headers["content-type"] ?? ""].flat()[0] ?? "";
  const named = /charset\s{0,9}=\s{0,9}"?([\w.:-]{1,40})/i.exec(type)?.[1] ?? "utf-8";
  try {
    return new TextDecoder(named).encoding;
  } catch {
    return "utf-8";
  }
}
