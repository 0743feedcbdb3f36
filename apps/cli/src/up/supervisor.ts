import { setTimeout as sleep } from "node:timers/promises";
import { type ChildLog, openChildLog } from "./child-log.ts";
import { type ChildSpec, killGroup, type StartedChild, startChild } from "./child.ts";
import { EnvironmentError, UsageError } from "../failure.ts";

export interface SupervisorOptions {
  logDirectory: string;
  /** Gets lines for the person at the terminal. */
  notice: (line: string) => void;
  /** Then children are killed. Default: 30 s; a worker gives back its work within 25 s and ends within 28 s. */
  stopWithinMs?: number;
  /** Before the first restart; doubles. Default: 1 s. */
  restartAfterMs?: number;
  /** A child that lived shorter has crashed fast. Default: 10 s. */
  fastCrashMs?: number;
}

export interface Supervisor {
  /** Resolves when the child is ready, with the address it listens on if it has one. */
  start(spec: ChildSpec): Promise<{ url: string | null }>;
  /** Rejects when a child is beyond help; never resolves. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
  /** At once, without waiting. */
  kill(): void;
}

const FAST_CRASHES = 3;
const EXIT_USAGE = 2;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { restartAfterMs = 1_000, fastCrashMs = 10_000, stopWithinMs = 30_000 } = options;
  const { logDirectory, notice } = options;
  const running = new Map<string, StartedChild>();
  const stopping = new AbortController();
  const failure = Promise.withResolvers<never>();
  // Whoever waits for it hears of it; if nobody does yet, Node must not end the process.
  failure.promise.catch(() => {});

  /** One life of a child: settles with its exit. */
  function live(spec: ChildSpec, log: ChildLog, onReady: (url: string | null) => void) {
    const started = startChild(spec, log, onReady);
    running.set(spec.name, started);
    return started.exited.finally(() => running.delete(spec.name));
  }

  async function keepAlive(spec: ChildSpec, onReady: (url: string | null) => void): Promise<void> {
    const log = openChildLog(logDirectory, spec.name, notice);
    try {
      for (let fastCrashes = 0, delay = restartAfterMs; ; delay *= 2) {
        const startedAt = Date.now();
        const exit = await live(spec, log, onReady);
        if (stopping.signal.aborted) return;
        if (exit === EXIT_USAGE) throw new UsageError(log.tail());
        if (Date.now() - startedAt > fastCrashMs) [fastCrashes, delay] = [0, restartAfterMs];
        if (++fastCrashes === FAST_CRASHES) {
          throw new EnvironmentError(
            `${spec.name} crashed ${FAST_CRASHES} times in a row; its last lines (all of them: ${log.path}):\n${log.tail()}`,
          );
        }
        notice(
          `${spec.name} ended (${exit}) and starts again in ${delay / 1_000} s; see ${log.path}`,
        );
        await sleep(delay, undefined, { signal: stopping.signal }).catch(() => {});
        if (stopping.signal.aborted) return;
      }
    } finally {
      log.close();
    }
  }

  return {
    failed: failure.promise,

    start(spec) {
      return new Promise((resolve, reject) => {
        keepAlive(spec, (url) => resolve({ url })).then(
          () => reject(new EnvironmentError(`${spec.name} was stopped before it was ready`)),
          (error: unknown) => {
            reject(error);
            failure.reject(error);
          },
        );
      });
    },

    async stop() {
      stopping.abort();
      const children = [...running.values()];
      for (const { child } of children) child.kill("SIGTERM");
      const ended = Promise.all(children.map(({ exited }) => exited));
      const tooLate = AbortSignal.timeout(stopWithinMs);
      tooLate.addEventListener("abort", () => {
        for (const [name, { child }] of running) {
          notice(`${name} did not stop within ${stopWithinMs / 1_000} s and is killed`);
          killGroup(child);
        }
      });
      await ended;
    },

    kill() {
      stopping.abort();
      for (const { child } of running.values()) killGroup(child);
    },
  };
}
