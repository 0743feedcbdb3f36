import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import {
  type FromLauncher,
  type ProgramFailure,
  type ToLauncher,
  WITNESS_FD,
} from "./launcher-messages.ts";
import { toProgramEnv } from "./program-env.ts";
import { ProgramError } from "./program-error.ts";
import type { ProgramCall } from "./run-directly.ts";

export interface LauncherProcess {
  /** As `runDirectly`. */
  run(call: ProgramCall, signal: AbortSignal): Promise<Buffer>;
  /** Ends it, with whatever it still runs. */
  close(): Promise<void>;
}

const MAIN = fileURLToPath(new URL("launcher-main.ts", import.meta.url));

/** It holds the output of programs at most, and a small heap is what makes its starts quick. */
const NODE_FLAGS = ["--max-old-space-size=64", "--max-semi-space-size=1", "--v8-pool-size=1"];

/** One that has not ended a program so long after its limit or its abort is stuck, and is killed. */
const STUCK_AFTER_MS = 30_000;

interface Run {
  pieces: Uint8Array[];
  end(failure: ProgramFailure | null): void;
}

/** `onDying`: it takes nothing more, and what it runs ends. */
export function startLauncherProcess(onDying: () => void): LauncherProcess {
  const child = spawn(process.execPath, [...NODE_FLAGS, MAIN], {
    // What a program may read of its parent holds no key.
    env: toProgramEnv(),
    stdio: ["ignore", "ignore", "inherit", "ipc", "pipe"],
    serialization: "advanced",
  });
  const runs = new Map<number, Run>();
  const witness = child.stdio[WITNESS_FD] as Socket;
  const gone = waitForEnd(child, witness);
  const endAll = (reason: ProgramError["reason"]) => {
    for (const run of runs.values()) run.end({ reason, exitCode: null, stderrTail: "" });
  };
  void gone.then(() => endAll("killed"));
  child.on("exit", onDying).on("disconnect", onDying);
  child.on("error", () => {
    if (child.pid !== undefined) return;
    onDying();
    endAll("missing");
  });
  child.on("message", (message: FromLauncher) => {
    const run = runs.get(message.id);
    if (message.kind === "output") run?.pieces.push(message.bytes);
    else run?.end(message.failure);
  });
  // It keeps nobody open, unless it runs something.
  child.unref();
  child.channel?.unref();
  witness.unref();
  let runCount = 0;
  return {
    run: (call, signal) => runIn({ child, runs, id: runCount++ }, call, signal),
    async close() {
      // Whoever closes it waits for its end.
      child.ref();
      witness.ref();
      if (child.connected) child.disconnect();
      await gone;
    },
  };
}

/** Only when nobody holds the other end of its pipe any more, the launcher is gone with all that it ran. */
async function waitForEnd(child: ChildProcess, witness: Socket): Promise<void> {
  const ended = new Promise<unknown>((done) => child.once("exit", done).once("error", done));
  witness.on("error", () => {}).resume();
  await new Promise<unknown>((done) => witness.once("close", done));
  await ended;
}

async function runIn(
  { child, runs, id }: { child: ChildProcess; runs: Map<number, Run>; id: number },
  call: ProgramCall,
  signal: AbortSignal,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let stuck: NodeJS.Timeout | undefined;
  const endWithin = (ms: number): void => {
    clearTimeout(stuck);
    stuck = setTimeout(() => child.kill("SIGKILL"), ms + STUCK_AFTER_MS);
  };
  // What it cannot be told any more it need not know: it is dying, and that ends the run.
  const tell = (message: ToLauncher): void => {
    if (child.connected) child.send(message, () => {});
  };
  const onAbort = (): void => {
    endWithin(0);
    tell({ kind: "abort", id });
  };
  const pieces: Uint8Array[] = [];
  const end = (failure: ProgramFailure | null): void => {
    if (signal.aborted) reject(signal.reason as Error);
    else if (failure === null) resolve(Buffer.concat(pieces));
    else reject(new ProgramError(failure.reason, failure.exitCode, failure.stderrTail));
  };
  runs.set(id, { pieces, end });
  child.channel?.ref();
  signal.addEventListener("abort", onAbort, { once: true });
  endWithin(call.timeoutMs);
  tell({ kind: "run", id, call });
  try {
    return await promise;
  } finally {
    clearTimeout(stuck);
    signal.removeEventListener("abort", onAbort);
    runs.delete(id);
    if (runs.size === 0) child.channel?.unref();
  }
}
