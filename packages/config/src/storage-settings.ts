import { join } from "node:path";
import type { Config } from "./config.ts";

/** The part of the configuration that decides where media lies, under the names that the providers use. */
export function toStorageSettings(config: Config) {
  const { S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = config;
  const s3 = {
    // loadConfig has seen to it that none is missing with STORAGE=s3.
    endpoint: S3_ENDPOINT ?? "",
    bucket: S3_BUCKET ?? "",
    region: config.S3_REGION,
    accessKeyId: S3_ACCESS_KEY_ID ?? "",
    secretAccessKey: S3_SECRET_ACCESS_KEY ?? "",
  };
  return {
    directory: join(config.CLIPMILL_HOME, "media"),
    s3: config.STORAGE === "s3" ? s3 : undefined,
  };
}
