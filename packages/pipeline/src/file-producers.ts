import type { FileProducers } from "@clipmill/domain";
import { prepareAudio } from "./cpu/prepare-audio.ts";
import { download, SANDBOX_SUFFIX } from "./io/download/download.ts";

/** Which stage makes which kind of stored file. */
export const fileProducers: FileProducers = {
  media: { stage: download.name, key: ["postId"], suffixes: ["", SANDBOX_SUFFIX] },
  audio: { stage: prepareAudio.name, key: ["mediaSha256", "recipe"] },
};
