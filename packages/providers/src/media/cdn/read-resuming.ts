import type { IncomingHttpHeaders } from "node:http";
import { RetryableError } from "@clipmill/domain";
import type { SafeResponse } from "../../http/safe-http.ts";

/** More breaks than this in one file are no bad luck. */
const MAX_RESUMES = 5;

/**
 * The body of `first`. Where a connection breaks in the middle, it goes on with the rest of the same file, if the
 * server named it by a strong ETag, still has it, and sends exactly what is missing; else the break is thrown.
 */
export async function* readResuming(
  first: SafeResponse,
  askRest: (headers: Record<string, string>) => Promise<SafeResponse>,
): AsyncGenerator<Uint8Array> {
  const etag = findStrongEtag(first.headers);
  let response = first;
  let received = 0;
  try {
    for (let resumes = 0; ; resumes++) {
      const before = received;
      try {
        for await (const chunk of response.body) {
          received += chunk.byteLength;
          yield chunk;
        }
        return;
      } catch (error) {
        const goesOn = received > before && resumes < MAX_RESUMES;
        if (etag === null || !goesOn || !isBreak(error)) throw error;
        if (response !== first) await response.discard();
        response = await askRest({ range: `bytes=${received}-`, "if-range": etag });
        if (!isRest(response, { from: received, first })) throw error;
      }
    }
  } finally {
    // The first one is its owner's.
    if (response !== first) await response.discard();
  }
}

/** A weak one does not promise the same bytes, and two halves of different files would go unnoticed. */
function findStrongEtag({ etag }: IncomingHttpHeaders): string | null {
  return etag !== undefined && /^"[^"]+"$/.test(etag) ? etag : null;
}

function isBreak(error: unknown): boolean {
  return (
    error instanceof RetryableError &&
    error.details["transport"] !== undefined &&
    error.details["transport"] !== "total timeout"
  );
}

function isRest(
  { status, headers }: SafeResponse,
  { from, first }: { from: number; first: SafeResponse },
): boolean {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (status !== 206 || range === null || Number(range[1]) !== from) return false;
  const announced = first.headers["content-length"];
  return announced === undefined || Number(range[2]) + 1 === Number(announced);
}
