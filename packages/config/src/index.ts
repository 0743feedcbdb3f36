export { type Config, ConfigError, ENV, loadConfig } from "./config.ts";
export { createLogger, withoutUrls } from "./logger.ts";
