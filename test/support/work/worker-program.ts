import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { WORKER_MAIN } from "../../../apps/cli/src/paths.ts";

export interface WorkerProgram {
  child: ChildProcess;
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
  /** The lines of its log so far. Its level is `silent` unless the test asks for more. */
  readLog(): Record<string, unknown>[];
}

/**
 * The environment of every worker of a test, with `env` for one of them. Queue on Postgres, upstreams in the sandbox.
 */
export function toWorkerEnv(
  { databaseUrl, home, sandboxUrl }: { databaseUrl: string; home: string; sandboxUrl: string },
  env: NodeJS.ProcessEnv = {},
): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    DATABASE_URL: databaseUrl,
    CLIPMILL_HOME: home,
    CLIPMILL_SANDBOX: "on",
    CLIPMILL_SANDBOX_URL: sandboxUrl,
    // The sandbox's recorded transcripts stand in: recognition is not what is tested with these.
    POCKETSPHINX_PATH: join(home, "not-installed"),
    LOG_LEVEL: "silent",
    ...env,
  };
}

/** Starts apps/worker as `clipmill up` does; resolves when it is ready. */
export async function startWorkerProgram(env: NodeJS.ProcessEnv): Promise<WorkerProgram> {
  const child = fork(WORKER_MAIN, [], {
    env,
    execArgv: [],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = once(child, "close").then(
    ([code, signal]) => (code ?? signal) as number | NodeJS.Signals,
  );
  const ready = once(child, "message").then(() => null);
  const early = await Promise.race([ready, ended]);
  if (early !== null) throw new Error(`the worker ended before it was ready: ${early}`);
  const readLog = () => {
    const lines = output.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { child, ended, readLog };
}
