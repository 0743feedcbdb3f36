import { join } from "node:path";
import type { Config } from "@clipmill/config";
import type { PostSource } from "@clipmill/domain";
import type { StageDeps } from "@clipmill/pipeline";
import * as providers from "@clipmill/providers";

export type WorkerMedia = Pick<
  StageDeps,
  "sources" | "fetcher" | "storage" | "media" | "links" | "maxBytes" | "maxDurationMs"
> & {
  close(): Promise<void>;
};

/** Everything that fetches, stores and decodes media on this worker. */
export async function createMedia(config: Config, directory: string): Promise<WorkerMedia> {
  throw new Error(
    `not wired: ${join(directory, String(config.PORT))} ${Object.keys(providers).join()} ${[] as PostSource[]}`,
  );
}
