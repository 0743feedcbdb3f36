import { z } from "zod";
import type { PostModule } from "../../engine-module.ts";
import { findYtDlp } from "./find-ytdlp.ts";
import { createYtDlpSource, YTDLP_ID } from "./ytdlp-source.ts";

const settings = z.object({ YTDLP_PATH: z.string() });

/** yt-dlp, a program that breaks whenever TikTok changes: only for those who ask for it. */
export const ytdlp: PostModule<z.infer<typeof settings>> = {
  name: "ytdlp",
  settings,
  listedOnly: true,
  toId: () => YTDLP_ID,
  create: ({ YTDLP_PATH }, { engine }) => createYtDlpSource({ path: YTDLP_PATH, engine }),
  find: ({ YTDLP_PATH }) => findYtDlp(YTDLP_PATH),
  rate: () => ({ rate: null, credential: null }),
  doctor: async ({ YTDLP_PATH }) => ({
    name: "yt-dlp",
    found: (await findYtDlp(YTDLP_PATH))?.version ?? null,
    isWanted: true,
    without: "not found, and POST_SOURCES names it",
    // Debian's copy is of 2023, and TikTok changes by the month.
    advice: "install a current yt-dlp, set YTDLP_PATH, or take it off POST_SOURCES",
  }),
};
