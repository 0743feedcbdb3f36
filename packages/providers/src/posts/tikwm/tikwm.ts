import { z } from "zod";
import type { PostModule } from "../../engine-module.ts";
import { createTikwmSource, TIKWM_ID } from "./tikwm-source.ts";

const settings = z.object({ TIKWM_BASE_URL: z.string() });

/** tikwm.com: free and without a key, so only for those who ask for it. */
export const tikwm: PostModule<z.infer<typeof settings>> = {
  name: "tikwm",
  settings,
  listedOnly: true,
  toId: () => TIKWM_ID,
  create: ({ TIKWM_BASE_URL }, { engine, onHoldOff }) =>
    createTikwmSource({ baseUrl: TIKWM_BASE_URL, engine, onHoldOff }),
  // One call a second and no more than that.
  rate: () => ({ rate: { calls: 1, windowMs: 1_250, burst: 0.2 }, credential: null }),
};
