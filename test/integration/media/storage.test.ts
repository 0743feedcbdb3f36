import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStorage } from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeStorage } from "../../support/conformance/describe-storage.ts";

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const toPath = (directory: string, key: string) => {
  const [kind = "", sha256 = ""] = key.split("/");
  return join(directory, kind, sha256.slice(0, 2), sha256);
};

describeStorage("file storage", async () => {
  const directory = await mkdtemp(join(tmpdir(), "clipmill-storage-"));
  return {
    storage: await createFileStorage({ directory }),
    listAll: () => listFiles(directory),
    overwrite: (key, content) => writeFile(toPath(directory, key), content),
    close: () => rm(directory, { recursive: true }),
  };
});

describe("file storage", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-storage-"));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const signal = new AbortController().signal;
  async function* content() {
    yield Buffer.from("clip");
  }

  test("only its owner can read what it stores", async () => {
    const storage = await createFileStorage({ directory });
    const { sha256 } = await storage.write("media", content(), { maxBytes: 10, signal });
    const fan = join(directory, "media", sha256.slice(0, 2));
    expect((await stat(join(fan, sha256))).mode & 0o777).toBe(0o600);
    for (const path of [fan, join(directory, "media"), join(directory, "scratch")]) {
      expect((await stat(path)).mode & 0o777).toBe(0o700);
    }
  });

  test("opening it removes scratch older than a day and leaves the rest", async () => {
    await createFileStorage({ directory });
    const [old, young] = [join(directory, "scratch", "job-old"), join(directory, "scratch", "new")];
    await mkdir(old);
    await writeFile(join(old, "frame.png"), "x");
    await writeFile(young, "x");
    const twoDaysAgo = new Date(Date.now() - 2 * 86_400_000);
    await utimes(old, twoDaysAgo, twoDaysAgo);
    await createFileStorage({ directory });
    expect(await readdir(join(directory, "scratch"))).toEqual(["new"]);
  });

  test("a directory that cannot be made is storage_failed, with the errno and without the path", async () => {
    const file = join(directory, "not-a-directory");
    await writeFile(file, "x");
    await chmod(file, 0o600);
    const opened = createFileStorage({ directory: join(file, "below") });
    await expect(opened).rejects.toMatchObject({
      code: "storage_failed",
      details: { errno: "ENOTDIR" },
      message: expect.not.stringContaining(directory),
    });
  });
});
