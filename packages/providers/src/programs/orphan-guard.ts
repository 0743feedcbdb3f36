import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";

/** In the environment of every program that is started here, and of whatever that one starts in turn. */
export const MARK_NAME = "CLIPMILL_CHILD";

/** Begins the mark of each program of this process; no other process has it. */
export const MARK_PREFIX = `${randomUUID()}.`;

/**
 * A shell that outlives us by a moment. It is told which process groups run (`+ id`) and which have ended (`- id`); when
 * the pipe breaks, we are gone, and it kills those that are left, then what left its group but has our mark, and waits for
 * their ends, for about a second at most. Without it a worker that is killed leaves a recogniser at work for half an hour,
 * while another worker does the same job.
 */
const GUARD = `
live=" "
while read -r sign id; do
  if [ "$sign" = + ]; then live="$live$id "
  else case "$live" in *" $id "*) live="\${live%% $id *} \${live#* $id }" ;; esac; fi
done
for id in $live; do kill -s KILL -- "-$id" 2>/dev/null; done
for file in $(grep -lsF "${MARK_NAME}=$1" /proc/[0-9]*/environ); do
  id=\${file#/proc/}; kill -s KILL "\${id%/environ}" 2>/dev/null
done
tries=20
for id in $live; do
  while [ $tries -gt 0 ] && kill -s 0 -- "-$id" 2>/dev/null; do tries=$((tries - 1)); sleep 0.05; done
done
`;

const live = new Set<number>();
let guard: { child: ChildProcess; stdin: Socket } | null = null;
let witness: "ignore" | number = "ignore";

/**
 * A file descriptor of this process that the guard, and only the guard, is to hold open too. Whoever reads its other end
 * sees it close once this process is gone and all that it ran.
 */
export function setGuardWitness(fileDescriptor: number): void {
  witness = fileDescriptor;
}

/** From now on this process group ends with us, however we end. Returns what takes it back. */
export function guardGroup(id: number): () => void {
  live.add(id);
  guard?.stdin.write(`+ ${id}\n`);
  return () => {
    live.delete(id);
    guard?.stdin.write(`- ${id}\n`);
  };
}

/**
 * Starts the guard, if it does not run. To be called before a program is started: who is killed in between leaves
 * nothing behind either, since the guard finds the mark. Nothing on Windows.
 */
export function startGuard(): void {
  if (guard !== null || process.platform === "win32") return;
  // A group of its own: what kills ours is what it is there for. A directory that nobody wants to unmount.
  const child = spawn("/bin/sh", ["-c", GUARD, "clipmill-guard", MARK_PREFIX], {
    stdio: ["pipe", "ignore", "ignore", witness],
    detached: true,
    cwd: "/",
    // oxlint-disable-next-line node/no-process-env -- where grep is
    env: { PATH: process.env["PATH"] },
  });
  const stdin = child.stdin as Socket;
  guard = { child, stdin };
  // Killed by somebody: the next program starts another one.
  const forget = () => {
    if (guard?.child === child) guard = null;
  };
  child.on("exit", forget).on("error", forget);
  stdin.on("error", forget);
  // It keeps nobody open.
  child.unref();
  stdin.unref();
  stdin.write([...live].map((id) => `+ ${id}\n`).join(""));
}
