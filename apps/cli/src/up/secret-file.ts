import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** A generated secret that stays the same from one start to the next; only the file's owner can read it. */
export async function loadSecret(path: string): Promise<string> {
  if (!existsSync(path)) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, randomBytes(12).toString("base64url"), { mode: 0o600 });
  }
  return (await readFile(path, "utf8")).trim();
}
