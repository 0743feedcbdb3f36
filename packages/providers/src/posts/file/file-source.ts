import { FILE_SOURCE, type PostSource, UnrecoverableError } from "@clipmill/domain";
import type { ImportedFiles } from "../../engine-module.ts";
import { toBareImport } from "./import-detail.ts";

/** A user's own files, imported beforehand. Nothing is fetched, so nothing is paid. */
export function createFileSource({ storage, readDetail }: ImportedFiles): PostSource {
  return {
    id: FILE_SOURCE,
    callUsd: 0,
    async fetchPost({ postId }, { signal }) {
      signal.throwIfAborted();
      const imported = await readDetail(postId);
      if (imported !== null) return imported;
      // The id of a file without a detail names its content, which may have come by another way.
      const sha256 = /^file-([0-9a-f]{64})$/.exec(postId)?.[1];
      if (sha256 !== undefined && (await storage.has(`media/${sha256}`)))
        return toBareImport(sha256);
      throw new UnrecoverableError("not_found", `no file was imported as ${postId}`);
    },
  };
}
