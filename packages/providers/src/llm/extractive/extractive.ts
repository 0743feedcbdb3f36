import { z } from "zod";
import type { LlmModule } from "../../engine-module.ts";
import { createExtractive, EXTRACTIVE_ID } from "./create-extractive.ts";

/** Quotes instead of a model: needs nothing, and is there when there is nothing else. */
export const extractive: LlmModule<Record<string, never>> = {
  name: "extractive",
  settings: z.object({}),
  toId: () => EXTRACTIVE_ID,
  create: () => createExtractive(),
};
