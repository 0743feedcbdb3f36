/** Resolves after `ms`, or at once when the signal aborts; never rejects. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

/** Around `ms`, up to a quarter less or more, so that processes which lost the same server do not come back at one moment. */
export function jitter(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}
