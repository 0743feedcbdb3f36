import { z } from "zod";
import { count, credential, httpUrl, list, variable } from "../variable.ts";

/** Where posts come from. The engines are in `providers/src/posts`. */
export const posts = {
  POST_SOURCES: variable(
    list.default([]),
    "Sources of posts in order: tiklive, tikwm, ytdlp. The next is asked where one is throttled, blocked, down, unpaid, or lacks that kind of post. Not set: tiklive.",
  ),
  TIKLIVE_API_KEY: variable(credential.optional(), "Key of TikLiveAPI."),
  TIKLIVE_BASE_URL: variable(
    httpUrl.default("https://api.tikliveapi.com"),
    "Base URL of TikLiveAPI.",
  ),
  TIKLIVE_RATE_PER_MINUTE: variable(
    count.default(200),
    "Calls a minute that your plan at TikLiveAPI allows, shared by all workers. Too high: 429s, pauses and a lower pace.",
  ),
  TIKLIVE_BURST: variable(
    count.default(3),
    "How many of these may come late and so close together; they are taken off the steady pace.",
  ),
  TIKWM_BASE_URL: variable(
    httpUrl.default("https://www.tikwm.com"),
    "Base URL of tikwm: free, one call a second.",
  ),
  YTDLP_PATH: variable(
    z.string().min(1).default("yt-dlp"),
    "The yt-dlp program: free, brings TikTok's captions, knows no slideshows. Releases age within weeks.",
  ),
  REGION_LOCK: variable(
    z.enum(["metadata", "proxy", "fail"]).default("metadata"),
    "What to do with a video that is not served here. metadata: go on without it and say so. proxy: fetch it through PROXY_<country>, else end as region_locked. fail: end so at once.",
  ),
} as const;
