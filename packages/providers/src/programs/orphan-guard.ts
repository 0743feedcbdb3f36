import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";

/** In the environment of every program that is started here, and of whatever that one starts in turn. */
export const MARK_NAME = "CLIPMILL_CHILD";

/** Begins the mark of each program of this process; no other process has it. */
export const MARK_PREFIX = `${randomUUID()}.`;

/**
 * A shell that outlives us by a moment. It is told which process groups run (`+ id`) and which have ended (`- id`); when
 * the pipe breaks, we are gone, and it kills those that are left, then what left its group but has our mark. Without it a
 * worker that is killed leaves a recogniser at work for half an hour, while another worker does the same job.
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
`;

const live = new Set<number>();
let guard: ChildProcess | null = null;

/** From now on this process group ends with us, however we end. Returns what takes it back. */
export function guardGroup(id: number): () => void {
  live.add(id);
  if (guard !== null) tell(guard, `+ ${id}\n`);
  return () => {
    live.delete(id);
    if (guard !== null) tell(guard, `- ${id}\n`);
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
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    cwd: "/",
    // oxlint-disable-next-line node/no-process-env -- where grep is
    env: { PATH: process.env["PATH"] },
  });
  guard = child;
  // Killed by somebody: the next program starts another one.
  const forget = () => {
    if (guard === child) guard = null;
  };
  child.on("exit", forget).on("error", forget);
  child.stdin.on("error", forget);
  // It keeps nobody open.
  child.unref();
  (child.stdin as Socket).unref();
  tell(child, [...live].map((id) => `+ ${id}\n`).join(""));
}

function tell(child: ChildProcess, text: string): void {
  child.stdin?.write(text);
}
