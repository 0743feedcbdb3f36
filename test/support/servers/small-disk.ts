import { execFileSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";

const BLOCK_BYTES = 64 * 1024;

/** Makes an empty directory a disk of its own, in memory. False where this user may not mount. */
export function mountSmallDisk(directory: string, megabytes: number): boolean {
  const options = ["-t", "tmpfs", "-o", `size=${megabytes}m`, "clipmill-test", directory];
  try {
    execFileSync("mount", options, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export function unmountSmallDisk(directory: string): void {
  execFileSync("umount", ["-l", directory], { stdio: "ignore" });
}

/** Takes all the space that is left; the returned function gives it back. */
export function fillDisk(directory: string): () => Promise<void> {
  const path = join(directory, "ballast");
  const file = openSync(path, "w");
  for (let bytes = BLOCK_BYTES; bytes >= 1;) {
    try {
      writeSync(file, Buffer.alloc(bytes));
    } catch {
      bytes = Math.floor(bytes / 16);
    }
  }
  fsyncSync(file);
  closeSync(file);
  return () => rm(path, { force: true });
}
