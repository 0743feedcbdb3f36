// A lock that a kill -9 cannot leave behind for ever: the file names its holders, and holders that are dead
// count as none. Plain JavaScript because the bootstrap needs it before anything is installed.
import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * What tells this process from a later one with the same pid: its start time and the boot. Pids repeat soon in
 * containers, where every start counts from 1. Null: there is no such process.
 */
export function identifyProcess(pid) {
  if (process.platform === "linux") {
    try {
      // The second field is the program's name in brackets and may itself hold spaces and brackets.
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z") return null;
      return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()}:${fields[19]}`;
    } catch {
      return null;
    }
  }
  const ps = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
  return ps.stdout?.trim() || null;
}

/** Takes the lock at once, or tells who holds it: `{ lock }` or `{ heldBy: pid }`. */
export function tryPidLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const own = `${path}.${process.pid}`;
  for (;;) {
    write(own, [process.pid]);
    try {
      // Unlike open-then-write, link shows the file to others only once it names its holder.
      linkSync(own, path);
      return { lock: toLock(path, own) };
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    } finally {
      rmSync(own, { force: true });
    }
    const heldBy = findHolder(path);
    if (heldBy !== null) return { heldBy };
    removeStale(path, own);
  }
}

function toLock(path, own) {
  const holders = [process.pid];
  return {
    /** The lock outlives this process for as long as `pid` lives. */
    addHolder(pid) {
      holders.push(pid);
      write(own, holders);
      renameSync(own, path);
    },
    release() {
      rmSync(path, { force: true });
    },
  };
}

function write(path, pids) {
  const holders = pids.map((pid) => ({ pid, identity: identifyProcess(pid) }));
  writeFileSync(path, JSON.stringify({ holders }), { mode: 0o644 });
}

/** The pid of a living holder of the lock at `path`, or null. */
export function findHolder(path) {
  let holders;
  try {
    holders = JSON.parse(readFileSync(path, "utf8")).holders;
  } catch {
    return null;
  }
  if (!Array.isArray(holders)) return null;
  const alive = holders.find(
    ({ pid, identity }) => identity !== null && identifyProcess(pid) === identity,
  );
  return alive === undefined ? null : alive.pid;
}

/** Two starts may both find a stale lock; the slower one must not remove the quicker one's new lock. */
function removeStale(path, own) {
  const aside = `${own}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (error.code === "ENOENT") return;
    throw error;
  }
  if (findHolder(aside) !== null) {
    try {
      linkSync(aside, path);
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
  rmSync(aside, { force: true });
}
