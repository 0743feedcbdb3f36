import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { API_NODE_FLAGS } from "@clipmill/config";

export interface RunningProgram {
  readonly pid: number;
  /** Of an API; null for other programs. */
  url: string | null;
  /** The most memory that it held so far; NaN where the system does not tell. */
  peakBytes(): number;
  /** Sends a message of this type to what was loaded with `--import`, and resolves with its answer of the same type. */
  ask<T extends { type: string }>(type: T["type"]): Promise<T>;
  stop(): Promise<void>;
}

const ANSWERS_WITHIN_MS = 30_000;

/** Starts one of our programs as it is deployed, with nothing of this process's environment but PATH. */
export async function startProgram(
  app: "api" | "worker",
  env: Record<string, string>,
  execArgv: readonly string[] = [],
): Promise<RunningProgram> {
  const path = fileURLToPath(new URL(`../../../apps/${app}/src/main.ts`, import.meta.url));
  const child = fork(path, [], {
    env: { PATH: process.env["PATH"], LOG_LEVEL: "error", ...env },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: [...(app === "api" ? API_NODE_FLAGS : []), ...execArgv],
  });
  const exited = once(child, "exit");
  const ready = once(child, "message") as Promise<[{ url?: string }]>;
  const first = await Promise.race([ready, exited.then(() => null)]);
  if (first === null) throw new Error(`${app} ended before it was ready`);
  return {
    pid: child.pid ?? Number.NaN,
    ask<T extends { type: string }>(type: T["type"]) {
      const answered = new Promise<T>((resolve, reject) => {
        const onMessage = (message: unknown) => {
          if (Reflect.get(Object(message), "type") !== type) return;
          child.off("message", onMessage);
          resolve(message as T);
        };
        child.on("message", onMessage);
        const fail = () => reject(new Error(`${app} did not answer ${type}`));
        setTimeout(fail, ANSWERS_WITHIN_MS).unref();
        void exited.then(fail);
      });
      child.send({ type });
      return answered;
    },
    url: first[0].url ?? null,
    peakBytes() {
      if (process.platform !== "linux") return Number.NaN;
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * 1_024;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await exited;
    },
  };
}
