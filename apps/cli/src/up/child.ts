import { type ChildProcess, fork } from "node:child_process";
import type { ChildLog } from "./child-log.ts";

/**
 * What a child does: sends `{ type: "ready", url? }` over IPC once it works, and stops gracefully on SIGTERM and
 * when the channel closes, which is how it learns that its parent was killed. Exit code 2 means that starting it
 * again would end the same way.
 */
export interface ChildSpec {
  name: string;
  modulePath: string;
  args?: readonly string[];
  /** Of Node itself. Default: none, whatever this process was started with. */
  nodeFlags?: readonly string[] | undefined;
  env: NodeJS.ProcessEnv;
}

export interface StartedChild {
  child: ChildProcess;
  /** Settles with its exit code, the signal that ended it, or why it could not start. */
  exited: Promise<string | number>;
}

/** Starts a program of ours as the head of a process group of its own, its output going to the log. */
export function startChild(
  { modulePath, args = [], nodeFlags = [], env }: ChildSpec,
  log: Pick<ChildLog, "write">,
  onReady: (url: string | null) => void,
): StartedChild {
  const child = fork(modulePath, args, {
    env,
    execArgv: [...nodeFlags],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // Ctrl-C goes to the terminal's whole group; the order of stopping is ours.
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => log.write(text));
  }
  child.on("message", (message) => {
    if (isReady(message)) onReady(message.url ?? null);
  });
  // What it had started, such as ffmpeg, ends with it.
  child.once("exit", () => killGroup(child));
  const exited = new Promise<string | number>((done) => {
    child.once("error", (error) => done(error.message));
    child.once("close", (code, signal) => done(code ?? signal ?? "unknown"));
  });
  return { child, exited };
}

/** The child leads its own group; where nobody is left in it there is nothing to do. */
export function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function isReady(message: unknown): message is { type: "ready"; url?: string } {
  return (
    typeof message === "object" && message !== null && "type" in message && message.type === "ready"
  );
}
