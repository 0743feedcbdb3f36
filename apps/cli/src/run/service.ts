import type { Config } from "@clipmill/config";
import type { Shutdown } from "../up/shutdown.ts";
import { enterHome, type Seat, waitForSeats } from "./shared-home.ts";
import type { HomeLock } from "../up/run-state.ts";

/** Where the work of a command is done. */
export interface Service {
  /** Null: by a worker without an API, this command's or that of another `clipmill run`. */
  apiUrl: string | null;
  /** Another command started it, with the environment that it had. */
  isShared: boolean;
  /** Holds the password. */
  databaseUrl: string;
  sandboxUrl: string | null;
  /** Rejects when it is beyond help or was stopped; never resolves. */
  failed: Promise<never>;
  /** What this command started ends, as soon as no other one uses it. */
  close(): Promise<void>;
}

/**
 * What runs in CLIPMILL_HOME does the work, be it an `up` or another `run`, also one that is just starting; where
 * nothing runs, a worker is started for this command. Throws EnvironmentError, UsageError, InterruptedError.
 */
export async function findOrStart(
  config: Config,
  shutdown: Shutdown,
  notice: (line: string) => void,
): Promise<Service> {
  const { signal } = shutdown;
  const { seat, lock } = await enterHome(config.CLIPMILL_HOME, { notice, signal });
  if (seat !== undefined) return toShared(seat);
  try {
    return await startOwn(config, lock, shutdown, notice);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function toShared({ state, ended, leave }: Seat): Service {
  const { apiUrl, databaseUrl, sandboxUrl } = state;
  const close = async () => leave();
  return { apiUrl, isShared: true, databaseUrl, sandboxUrl, failed: ended, close };
}

async function startOwn(
  config: Config,
  home: HomeLock,
  { signal, onImpatience }: Shutdown,
  notice: (line: string) => void,
): Promise<Service> {
  const { startStack } = await import("../up/stack.ts");
  const stack = await startStack(config, { api: false, notice, signal });
  onImpatience(() => stack.kill());
  const { databaseUrl, sandboxUrl, failed } = stack;
  home.publish({ apiUrl: null, databaseUrl, sandboxUrl, startedAt: new Date().toISOString() });
  return {
    apiUrl: null,
    isShared: false,
    databaseUrl,
    sandboxUrl,
    failed,
    async close() {
      try {
        home.withdraw({ atOnce: signal.aborted });
        const left = waitForSeats(config.CLIPMILL_HOME, { notice, signal });
        // A worker that is beyond help serves nobody.
        await Promise.race([left, failed]).catch(() => {});
        home.withdraw({ atOnce: true });
        await stack.close();
      } finally {
        home.release();
      }
    },
  };
}
