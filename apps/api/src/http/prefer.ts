/** Proxies commonly cut a silent connection at 60 s. */
export const MAX_WAIT_SECONDS = 60;

/** The seconds that `Prefer: wait=N` (RFC 7240) asks us to wait, at most 60; null where it does not ask. Unknown preferences are ignored, as the RFC has it. */
export function parseWait(prefer: string | undefined): number | null {
  for (const preference of (prefer ?? "").split(",")) {
    const match = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(;|$)/i.exec(preference);
    if (match?.[1] !== undefined) return Math.min(Number(match[1]), MAX_WAIT_SECONDS);
  }
  return null;
}
