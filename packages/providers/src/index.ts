export { createOpenAiTranscriber, type OpenAiTranscriberOptions } from "./asr/openai/openai.ts";
export {
  createPocketsphinx,
  findPocketsphinx,
  type PocketsphinxOptions,
} from "./asr/pocketsphinx/pocketsphinx.ts";
export { createEngines, type Engines, type EngineSettings, toRecipes } from "./catalog.ts";
export { type ClaudeOptions, createClaude } from "./llm/claude/claude.ts";
export { createExtractive } from "./llm/extractive/extractive.ts";
export {
  createTesseract,
  findTesseract,
  type TesseractOptions,
} from "./ocr/tesseract/tesseract.ts";
export { createStorage, type StorageSettings } from "./storage/create-storage.ts";
export { createFileStorage } from "./storage/file-storage.ts";
export { createS3Storage, type S3StorageOptions } from "./storage/s3-storage.ts";
export { createCdnFetcher } from "./media/cdn-fetcher.ts";
export { createGuardedConnector } from "./http/guarded-connector.ts";
export { CDN_SUFFIXES, isCdnHost } from "./http/hosts.ts";
export { createSafeHttp, type SafeHttp, type SafeHttpOptions } from "./http/safe-http.ts";
export { createLinkResolver } from "./posts/short-links.ts";
export {
  createTikLiveSource,
  type TikLiveOptions,
  type TikLiveSource,
} from "./posts/tiklive/tiklive.ts";
export { createTikwmSource, type TikwmOptions } from "./posts/tikwm/tikwm.ts";
export { createYtDlpSource, findYtDlp, type YtDlpOptions } from "./posts/ytdlp/ytdlp.ts";
export { createCaptionReader } from "./posts/caption-reader.ts";
export { createMediaTools, type MediaToolsOptions } from "./media/ffmpeg.ts";
export { createFileSource, type FileSourceOptions } from "./posts/file/file-source.ts";
export { importFile, type ImportFileOptions } from "./posts/file/import-file.ts";
export { createImportStore, type ImportStore } from "./posts/file/import-store.ts";
