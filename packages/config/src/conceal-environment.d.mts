/**
 * Takes the environment that this process was started with off `/proc/<pid>/environ`, where every program of the same
 * user can read it: also an ffmpeg that works on what strangers made and knows its parent's id. `process.env` and what
 * later children get stay as they are. To be called first of all, before any program is started. Linux only; elsewhere,
 * and where the system refuses it, nothing happens and this returns false.
 *
 * What it does not do: who may read our memory finds the keys there (root, and where `kernel.yama.ptrace_scope` is 0 any
 * process of the same user), and the processes before us (a shell, npx, the init of a container) show what they were
 * started with.
 */
export function concealEnvironment(): boolean;
