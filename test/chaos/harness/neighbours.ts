import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Other programs that want the processors, too. */
export interface Neighbours {
  readonly pids: readonly number[];
  close(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("../processes/neighbour.ts", import.meta.url));

/** Starts so many busy loops, each a process of its own. */
export function startNeighbours(count: number): Neighbours {
  const children = Array.from({ length: count }, () => fork(PROGRAM, [], { stdio: "ignore" }));
  return {
    pids: children.flatMap(({ pid }) => pid ?? []),
    async close() {
      const running = children.filter(
        ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
      );
      const exited = Promise.all(running.map((child) => once(child, "exit")));
      for (const child of running) child.kill("SIGKILL");
      await exited;
    },
  };
}
