import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { UsageError } from "../failure.ts";

/** As DASHBOARD_PASSWORD. */
const MIN_CHARS = 8;

/**
 * A generated secret that stays the same from one start to the next; only the file's owner can read it. A file that is
 * empty, as a full disk or a power cut leaves it, is made anew. Throws UsageError for one that holds too little.
 */
export async function loadSecret(path: string): Promise<string> {
  const stored = (await readFile(path, "utf8").catch(toEmptyIfMissing))
    .replace(/^\ufeff/, "")
    .trim();
  if (stored === "") return createSecret(path);
  if (stored.length >= MIN_CHARS && !stored.includes("\0")) return stored;
  throw new UsageError(
    `${basename(path)}: ${path} holds no secret of ${MIN_CHARS} characters or more: delete it, and the next start makes a new one`,
  );
}

/** Written aside and moved: whoever starts next finds all of it or nothing. */
async function createSecret(path: string): Promise<string> {
  const secret = randomBytes(12).toString("base64url");
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${process.pid}`;
  const file = await open(aside, "w", 0o600);
  try {
    await file.writeFile(secret);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
  return secret;
}

function toEmptyIfMissing(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
