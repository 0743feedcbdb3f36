import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadSecret } from "./secret-file.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "clipmill-secret-"));
});
afterEach(() => rm(home, { recursive: true }));
const at = (name: string) => join(home, name);

test("a secret is made once, for its owner alone", async () => {
  const secret = await loadSecret(at("new/password"));
  expect(secret).toMatch(/^[\w-]{16}$/);
  expect(await loadSecret(at("new/password"))).toBe(secret);
  expect((await stat(at("new/password"))).mode & 0o777).toBe(0o600);
  expect(await readdir(at("new"))).toEqual(["password"]);
});

test.each(["", "\n", " \r\n\t", "\ufeff"])("an empty file is made anew: %j", async (content) => {
  await writeFile(at("password"), content);
  const secret = await loadSecret(at("password"));
  expect(secret).toHaveLength(16);
  expect(await readFile(at("password"), "utf8")).toBe(secret);
});

test("a password of one's own is kept", async () => {
  await writeFile(at("password"), "\ufeffcorrect horse battery\r\n");
  expect(await loadSecret(at("password"))).toBe("correct horse battery");
});

test.each(["abc", "secr\0\0\0\0\0\0"])(
  "one that is cut off is named with its path: %j",
  async (content) => {
    await writeFile(at("password"), content);
    const error = await loadSecret(at("password")).catch((thrown: unknown) => thrown as Error);
    expect(String(error)).toContain(at("password"));
    expect(String(error)).not.toContain(content);
  },
);
