import { readFile, stat } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import { ClipmillError, UnrecoverableError } from "@clipmill/domain";
import { type ImportDetail, parseImportDetail } from "./import-detail.ts";

/** A detail is a page of JSON at most. */
const MAX_DETAIL_BYTES = 1_000_000;

export interface DetailOptions {
  /** The detail that the user named; it must be one. Default: what lies beside the file is looked at. */
  detailPath?: string | undefined;
  /** Told of a file beside the clip that is no detail and was left alone. Default: nobody is. */
  note?: ((line: string) => void) | undefined;
}

/**
 * The JSON detail of a media file: the one that was named, or `clip.mp4.json` or `clip.json` beside `clip.mp4` if that is
 * one. A neighbour that is none belongs to another program, or the shell has just made it for our own output. Throws
 * UnrecoverableError `invalid_request` for a named one that is missing or none.
 */
export async function findDetail(
  mediaPath: string,
  { detailPath, note }: DetailOptions,
): Promise<ImportDetail | null> {
  if (detailPath !== undefined) return readDetail(resolve(detailPath), detailPath);
  const withoutExtension = mediaPath.slice(0, mediaPath.length - extname(mediaPath).length);
  for (const path of [`${mediaPath}.json`, `${withoutExtension}.json`]) {
    const isThere = await stat(path).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    try {
      return await readDetail(path, basename(path));
    } catch (error) {
      if (!(error instanceof ClipmillError)) throw error;
      note?.(`not used as the detail of the clip: ${error.message}`);
    }
  }
  return null;
}

async function readDetail(path: string, shown: string): Promise<ImportDetail> {
  const refuse = (what: string, cause?: unknown) =>
    new UnrecoverableError("invalid_request", `${shown} ${what}`, { cause });
  const found = await stat(path).catch((cause: unknown) => {
    throw refuse("does not exist or cannot be read", cause);
  });
  // A FIFO or a device would block for ever, or never end.
  if (!found.isFile()) throw refuse("is not a regular file");
  if (found.size > MAX_DETAIL_BYTES) throw refuse("is too large for a post's detail");
  const content = await readFile(path).catch((cause: unknown) => {
    throw refuse("cannot be read", cause);
  });
  return parseImportDetail(content, shown);
}
