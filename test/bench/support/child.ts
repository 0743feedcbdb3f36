import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface BenchProcess {
  readonly pid: number;
  /** Resolves at the next message of this kind. */
  message<T>(type: string): Promise<T>;
  send(message: object): void;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
}

/** Starts a file of `test/bench/processes` as a process of its own, and waits until it is ready. */
export async function startProcess(file: string, args: object): Promise<BenchProcess> {
  const path = fileURLToPath(new URL(`../processes/${file}`, import.meta.url));
  const child = fork(path, [JSON.stringify(args)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const message = <T>(type: string) =>
    new Promise<T>((resolve, reject) => {
      const onExit = (code: number | null) =>
        reject(new Error(`${file} ended with ${code} before "${type}"`));
      const onMessage = (value: unknown) => {
        if (typeof value !== "object" || value === null || Reflect.get(value, "type") !== type)
          return;
        child.off("message", onMessage);
        child.off("exit", onExit);
        resolve(value as T);
      };
      child.on("message", onMessage);
      child.once("exit", onExit);
    });
  await message("ready");
  return {
    pid: child.pid ?? Number.NaN,
    message,
    send: (value) => void child.send(value),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
