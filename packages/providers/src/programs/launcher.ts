import { type LauncherProcess, startLauncherProcess } from "./launcher-process.ts";

/**
 * Starts programs for this process, in a small process of ours. To start a child, the system copies the page tables of
 * the parent, and Node waits for it: 3 ms of a process of 50 MB, 18 ms of one of 150 MB, 28 ms of one of 210 MB, during
 * which the event loop stands still. Where a launcher dies, its runs reject with ProgramError `killed` once what they
 * had started is gone, and the next run starts another one.
 */
export type Launcher = LauncherProcess;

let launcher: Launcher | null = null;

/** The launcher that the programs of this process go through; null: they are its own children. */
export function findLauncher(): Launcher | null {
  return launcher;
}

/** From now on, until it is closed, the programs of this process go through a launcher. For processes that stay. */
export function startLauncher(): Pick<Launcher, "close"> {
  const started = createLauncher();
  launcher = started;
  return {
    async close() {
      if (launcher === started) launcher = null;
      await started.close();
    },
  };
}

/** A launcher for whoever holds it. It is started at once, since its start takes a tenth of a second. */
export function createLauncher(): Launcher {
  let current: LauncherProcess | null = null;
  const start = (): LauncherProcess => {
    const started = startLauncherProcess(() => {
      if (current === started) current = null;
    });
    return started;
  };
  current = start();
  return {
    async run(call, signal) {
      signal.throwIfAborted();
      current ??= start();
      return await current.run(call, signal);
    },
    async close() {
      await current?.close();
    },
  };
}
