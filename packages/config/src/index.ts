export { type Config, ConfigError, ENV, loadConfig } from "./config.ts";
export { createFailpointTrap } from "./failpoint-trap.ts";
export { toStorageSettings } from "./storage-settings.ts";
export { API_NODE_FLAGS } from "./node-flags.ts";
export { createLogger, withoutUrls } from "./logger.ts";
