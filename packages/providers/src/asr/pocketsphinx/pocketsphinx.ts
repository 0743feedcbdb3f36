import { z } from "zod";
import type { AsrModule } from "../../engine-module.ts";
import { createPocketsphinx, POCKETSPHINX_ID } from "./create-pocketsphinx.ts";
import { findPocketsphinx } from "./find-pocketsphinx.ts";

const settings = z.object({ POCKETSPHINX_PATH: z.string() });

/** Recognition on any CPU, without a key. */
export const pocketsphinx: AsrModule<z.infer<typeof settings>> = {
  name: "pocketsphinx",
  settings,
  toId: () => POCKETSPHINX_ID,
  create: ({ POCKETSPHINX_PATH }) => createPocketsphinx({ path: POCKETSPHINX_PATH }),
  find: ({ POCKETSPHINX_PATH }) => findPocketsphinx(POCKETSPHINX_PATH),
  doctor: async ({ POCKETSPHINX_PATH }) => ({
    name: "speech recognition",
    found: (await findPocketsphinx(POCKETSPHINX_PATH)) === null ? null : "pocketsphinx",
    without: "none: the demo plays recorded transcripts",
    advice: "apt-get install pocketsphinx pocketsphinx-en-us",
  }),
};
