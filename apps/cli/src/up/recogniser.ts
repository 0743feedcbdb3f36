import { spawnSync } from "node:child_process";
import type { Config } from "@clipmill/config";

/** Whether speech is recognised for real here, so that nothing recorded has to stand in. */
export function hasRecogniser(
  config: Pick<Config, "ASR_BASE_URL" | "ASR_ENGINES" | "POCKETSPHINX_PATH">,
): boolean {
  if (config.ASR_BASE_URL !== undefined) return true;
  const isWanted = config.ASR_ENGINES.length === 0 || config.ASR_ENGINES.includes("pocketsphinx");
  return isWanted && findPocketsphinx(config.POCKETSPHINX_PATH);
}

/** It has no option that only tells its version; without arguments it explains itself and ends. */
export function findPocketsphinx(path: string): boolean {
  return spawnSync(path, [], { stdio: "ignore", timeout: 5_000 }).error === undefined;
}
