import type { PostResult } from "@clipmill/domain";

/** A result of which every part is there. */
export const EXAMPLE_RESULT: PostResult = {
  aweme_id: "7000000000000000001",
  url: "https://www.tiktok.com/@clipmill.coffee/video/7000000000000000001",
  author: "clipmill.coffee",
  author_url: "https://www.tiktok.com/@clipmill.coffee",
  attribution:
    "Video by @clipmill.coffee on TikTok (https://www.tiktok.com/@clipmill.coffee/video/7000000000000000001)",
  language: "en",
  duration: 14.2,
  transcript: "Grind the beans just before you brew. Use water just off the boil. Pour slowly.",
  segments: [
    { start: 0.4, end: 3.1, text: "Grind the beans just before you brew." },
    { start: 3.6, end: 7.25, text: "Use water just off the boil." },
    { start: 8, end: 13.9, text: "Pour slowly." },
  ],
  ocr: ["BETTER COFFEE", "in 3 steps"],
  summary: {
    tldr: "Three small habits make coffee at home better.",
    takeaways: ["Grind right before brewing.", "Let boiling water rest briefly.", "Pour slowly."],
    sentiment: "positive",
    cta: "Try it tomorrow morning.",
  },
  engagement: { plays: 12_345, likes: 678, comments: null, shares: 9 },
  sources: ["transcript", "ocr", "metadata"],
  models: {
    source: "tiklive@sandbox",
    asr: "pocketsphinx:en-us",
    ocr: "tesseract",
    llm: "claude@sandbox:claude-haiku-5-5",
  },
  cost: { usd: 0.00214, by_stage: { download: 0.000099, summarize: 0.002041 } },
  timings_ms: { download: 412, "prepare-audio": 96, transcribe: 2_840, summarize: 733 },
  cached: false,
  simulated: ["download", "summarize"],
  warnings: [],
};
