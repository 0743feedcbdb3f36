import type { Config } from "./config.ts";

/** The part of the configuration that decides which engines there are, under the names that the providers use. */
export function toEngineSettings(config: Config) {
  return {
    asrEngines: config.ASR_ENGINES,
    asrBaseUrl: config.ASR_BASE_URL,
    asrApiKey: config.ASR_API_KEY,
    asrModel: config.ASR_MODEL,
    asrUsdPerMinute: config.ASR_USD_PER_MINUTE,
    pocketsphinxPath: config.POCKETSPHINX_PATH,
    tesseractPath: config.TESSERACT_PATH,
    ffmpegPath: config.FFMPEG_PATH,
    llmEngines: config.LLM_ENGINES,
    anthropicApiKey: config.ANTHROPIC_API_KEY,
    anthropicBaseUrl: config.ANTHROPIC_BASE_URL,
    claudeModel: config.CLAUDE_MODEL,
    sandboxUrl: config.CLIPMILL_SANDBOX_URL,
    postSources: config.POST_SOURCES,
    tikliveApiKey: config.TIKLIVE_API_KEY,
  };
}
