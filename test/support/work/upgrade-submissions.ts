import { sha256, type Submission } from "@clipmill/domain";

/** What the requests of test/fixtures/upgrade were accepted with. */
export const RECIPES = {
  source: ["tiklive"],
  asr: ["openai:whisper-1", "pocketsphinx:en-us"],
  ocr: ["tesseract:eng"],
  llm: ["claude:claude-haiku-5-5"],
};
export const SANDBOX_RECIPES = {
  source: ["tiklive@sandbox"],
  asr: ["pocketsphinx:en-us"],
  ocr: ["tesseract:eng"],
  llm: ["claude@sandbox:claude-haiku-5-5"],
};
export const FILE = `file-${sha256("a clip of our own")}`;

/** The post that was a local file. */
export const OWN_FILE = {
  postId: FILE,
  link: "file:pancakes.mp4",
  recipes: { ...RECIPES, source: ["file"] },
  language: "en",
};
export const toPostId = (place: number) => `74500000000000000${String(place).padStart(2, "0")}`;

/** For the post with this number among those of the fixture. */
export function toSubmission(place: number, more: Partial<Submission> = {}): Submission {
  const postId = toPostId(place);
  return {
    tenant: "local",
    link: `https://www.tiktok.com/@ada/video/${postId}`,
    postId,
    outputs: ["transcript", "summary"],
    recipes: RECIPES,
    lane: "standard",
    deadline: null,
    idempotencyKey: null,
    language: null,
    ...more,
  };
}
