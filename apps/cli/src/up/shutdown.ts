/**
 * npm and the bootstrap pass on the SIGINT that the terminal has already sent to the whole group, so one Ctrl-C
 * arrives up to three times within some milliseconds. Nobody presses twice that fast.
 */
const SAME_KEYPRESS_MS = 400;

export interface Shutdown {
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP, or when the bootstrap dies. */
  readonly signal: AbortSignal;
  /** What to do at a second Ctrl-C, before the process exits at once. */
  onImpatience(kill: () => void): void;
  dispose(): void;
}

export function listenForShutdown(): Shutdown {
  const controller = new AbortController();
  let firstAt: number | null = null;
  let kill = (): void => {};
  const stop = (): void => {
    firstAt ??= Date.now();
    controller.abort();
  };
  const interrupt = (): void => {
    if (firstAt !== null && Date.now() - firstAt > SAME_KEYPRESS_MS) {
      kill();
      process.exit(130);
    }
    stop();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  process.on("disconnect", stop);
  return {
    signal: controller.signal,
    onImpatience: (next) => (kill = next),
    dispose() {
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", stop);
      process.off("SIGHUP", stop);
      process.off("disconnect", stop);
    },
  };
}
