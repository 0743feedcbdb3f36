import { FILE_SOURCE } from "@clipmill/domain";
import { z } from "zod";
import type { PostModule } from "../../engine-module.ts";
import { createFileSource } from "./file-source.ts";

/** People's own files, imported before their job runs. */
export const file: PostModule<Record<string, never>> = {
  name: "file",
  settings: z.object({}),
  origin: "file",
  toId: () => FILE_SOURCE,
  create: (_settings, { files }) => createFileSource(files),
};
