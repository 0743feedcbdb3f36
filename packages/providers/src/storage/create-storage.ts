import { join } from "node:path";
import type { Storage } from "@clipmill/domain";
import { createFileStorage } from "./file-storage.ts";
import type { S3Options } from "./s3-client.ts";
import { createS3Storage } from "./s3-storage.ts";

export interface StorageSettings {
  /** Everything, or with `s3` only what is being made. */
  directory: string;
  s3?: S3Options | undefined;
}

/** The storage that the configuration asks for. Throws RetryableError `storage_failed`. */
export async function createStorage({ directory, s3 }: StorageSettings): Promise<Storage> {
  if (s3 === undefined) return await createFileStorage({ directory });
  return await createS3Storage({ ...s3, scratchDirectory: join(directory, "scratch") });
}
