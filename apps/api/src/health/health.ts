import type { ApiDeps, Health } from "../deps.ts";

/** A pool that waits for a dead server must not make the probe hang: orchestrators give up after a second or more. */
const HEALTH_TIMEOUT_MS = 2_000;
const DOWN: Health = { database: false, queue: false };

/** What is up now. A check that throws or hangs counts as down: that is what it found out. */
export async function checkHealth(deps: Pick<ApiDeps, "health">): Promise<Health> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Health>((resolve) => {
    timer = setTimeout(resolve, HEALTH_TIMEOUT_MS, DOWN);
  });
  try {
    return await Promise.race([deps.health(), timeout]);
  } catch {
    return DOWN;
  } finally {
    clearTimeout(timer);
  }
}
