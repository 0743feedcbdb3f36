export { CATALOG, type Catalog } from "./catalog/catalog.ts";
export {
  createEngines,
  createPostSources,
  type Engines,
  type OnHoldOff,
  type PostSources,
} from "./catalog/create-engines.ts";
export { examineEngines } from "./catalog/examine-engines.ts";
export { findLimit } from "./catalog/find-limit.ts";
export { findKeyed, toRecipes } from "./catalog/recipes.ts";
export type * from "./engine-module.ts";
export { createStorage, type StorageSettings } from "./storage/create-storage.ts";
export { createFileStorage } from "./storage/file-storage.ts";
export { createS3Storage, type S3StorageOptions } from "./storage/s3-storage.ts";
export { createCdnFetcher } from "./media/cdn/cdn-fetcher.ts";
export { parseExactJson } from "./http/exact-json.ts";
export { createGuardedConnector } from "./http/guarded-connector.ts";
export { CDN_SUFFIXES, isCdnHost } from "./http/hosts.ts";
export { createSafeHttp, type SafeHttp, type SafeHttpOptions } from "./http/safe-http.ts";
export { createLinkResolver } from "./posts/short-links.ts";
export { createCaptionReader } from "./posts/caption-reader.ts";
export { createMediaTools, type MediaToolsOptions } from "./media/ffmpeg.ts";
export { importFile, type ImportFileOptions } from "./posts/file/import-file.ts";
export { createImportStore, type ImportStore } from "./posts/file/import-store.ts";
export { startLauncher } from "./programs/launcher.ts";
export { createTurns, type Turns } from "./programs/turns.ts";
