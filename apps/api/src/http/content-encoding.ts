import { PassThrough, type Readable, Transform } from "node:stream";
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from "node:zlib";
import type { Api } from "../deps.ts";
import { FaultError } from "./problem.ts";

/** How bodies may be compressed, by the name in `content-encoding`. */
const DECOMPRESSORS = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
} as const;
export type Encoding = keyof typeof DECOMPRESSORS;

const ACCEPTED = "gzip, deflate, br, zstd";
/** Up to here a body may unpack to any multiple of itself. */
const FREE_BYTES = 16_000_000;
/** A list of links is about 20 times as long as it is compressed; a bomb is 1,000 times and more. */
const MAX_RATIO = 200;

/** Unpacks the bodies of all routes, before their own limits count. Throws FaultError 415 for an unknown encoding. */
export function registerContentEncoding(api: Api): void {
  api.addHook("preParsing", (request, reply, payload, done) => {
    const name = request.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
    if (name === "identity" || name === "") return done(null, payload);
    if (!Object.hasOwn(DECOMPRESSORS, name)) {
      reply.header("accept-encoding", ACCEPTED);
      const detail = `this content-encoding is not known; send the body as it is, or as one of ${ACCEPTED}`;
      return done(new FaultError({ code: "invalid_request", status: 415, detail }));
    }
    // Fastify compares what it read with the header, which counts compressed bytes.
    const inflated = inflate(payload, name as Encoding);
    return done(
      null,
      Object.assign(inflated, { receivedEncodedLength: toLength(request.headers) }),
    );
  });
}

function toLength({ "content-length": length }: { "content-length"?: string | undefined }): number {
  return Number(length ?? 0);
}

/**
 * What a compressed stream holds. It fails with FaultError 400 where that is cut off, broken or a bomb, and with the
 * source's own error where that breaks off; the source itself is never destroyed, so that an answer can still be sent.
 */
export function inflate(source: Readable, encoding: Encoding): Readable {
  const decompressor = DECOMPRESSORS[encoding]();
  let outBytes = 0;
  const guard = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      outBytes += chunk.length;
      const isBomb = outBytes > FREE_BYTES && outBytes > MAX_RATIO * decompressor.bytesWritten;
      if (isBomb) done(toBroken(`it unpacks to over ${MAX_RATIO} times its size`));
      else done(null, chunk);
    },
  });
  const input = source.pipe(new PassThrough());
  const fail = (error: Error) => {
    source.unpipe(input);
    decompressor.destroy();
    guard.destroy(error);
  };
  // A body may break before anybody reads it; whoever does is told then, and until then it is nobody's exception.
  guard.on("error", () => {});
  source.once("error", fail);
  decompressor.on("error", () => fail(toBroken("it is cut off, or not compressed that way")));
  guard.once("close", () => {
    source.off("error", fail).unpipe(input);
    decompressor.destroy();
  });
  input.pipe(decompressor).pipe(guard);
  return guard;
}

function toBroken(why: string): FaultError {
  const detail = `the compressed body cannot be read: ${why}`;
  return new FaultError({ code: "invalid_request", status: 400, detail });
}
