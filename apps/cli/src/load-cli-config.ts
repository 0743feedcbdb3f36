import { join } from "node:path";
import { type Config, loadConfig } from "@clipmill/config";
import { ROOT } from "./paths.ts";

/**
 * The configuration of this process. Data lies in the clone wherever the command is typed; a CLIPMILL_HOME that
 * is set counts from the caller's directory. Throws ConfigError.
 */
export function loadCliConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const home = env["CLIPMILL_HOME"];
  const isSet = home !== undefined && home !== "";
  return loadConfig({ ...env, CLIPMILL_HOME: isSet ? home : join(ROOT, ".clipmill") });
}
