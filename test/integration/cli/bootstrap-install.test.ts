import { existsSync } from "node:fs";
import { cp, mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type BootstrapClone,
  createBootstrapClone,
  until,
} from "../../support/servers/bootstrap-clone.ts";

const DEAD_PID = 4_194_305; // above the kernel's largest pid

let clone: BootstrapClone;

beforeEach(async () => {
  clone = await createBootstrapClone();
});

afterEach(() => clone[Symbol.asyncDispose]());

describe("the bootstrap", () => {
  test("installs without tools, runs main.ts on Node 24 in the caller's directory, and not again", async () => {
    const first = await clone.start("run", "a b");
    expect(JSON.parse(first.stdout)).toEqual({
      command: "run",
      rest: ["a b"],
      cwd: await realpath(tmpdir()),
      node: expect.toSatisfy((major: number) => major >= 24),
    });
    expect(first.stderr).toContain("clipmill: installing dependencies");
    const second = await clone.start("run");
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(await clone.npmCalls()).toEqual([expect.stringMatching(/^ci --omit=dev --prefix /)]);
  });

  test("brings the tools for `dev` without emptying node_modules, and then serves both", async () => {
    await clone.start("run");
    await clone.start("dev", "test");
    await clone.start("dev", "test");
    await clone.start("run");
    expect(await clone.npmCalls()).toEqual([
      expect.stringMatching(/^ci --omit=dev /),
      expect.stringMatching(/^install --no-save --include=dev /),
    ]);
  });

  test("installs again when the lockfile has changed", async () => {
    await clone.start("run");
    await clone.writeLockfile("2.0.0");
    await clone.start("run");
    expect(await clone.npmCalls()).toHaveLength(2);
  });

  test("keeps the tools, where they are, when the lockfile has changed", async () => {
    await clone.start("dev", "test");
    await clone.writeLockfile("2.0.0");
    await clone.start("run");
    await clone.start("dev", "test");
    const withTools = expect.stringMatching(/^ci --include=dev /) as unknown;
    expect(await clone.npmCalls()).toEqual([withTools, withTools]);
  });

  test("gives npm a cache in the clone where the home directory cannot be written to", async () => {
    const cacheFor = async (home: string) => {
      await rm(join(clone.root, "node_modules"), { recursive: true, force: true });
      await clone.launch(["run"], [], { HOME: home }).done;
      return readFile(join(clone.root, "npm-cache"), "utf8");
    };
    expect(await cacheFor(clone.root)).toBe("its own");
    expect(await cacheFor("/nonexistent")).toBe(join(clone.root, ".clipmill/npm-cache"));
  });

  test("takes over what `npm ci` by hand has installed", async () => {
    await mkdir(join(clone.root, "node_modules/wanted"), { recursive: true });
    await cp(
      join(clone.root, "package-lock.json"),
      join(clone.root, "node_modules/.package-lock.json"),
    );
    expect((await clone.start("run")).code).toBe(0);
    expect(await clone.npmCalls()).toEqual([]);
  });

  test("does not believe npm's list of what is installed where the packages are not there", async () => {
    await mkdir(join(clone.root, "node_modules"));
    await cp(
      join(clone.root, "package-lock.json"),
      join(clone.root, "node_modules/.package-lock.json"),
    );
    await clone.start("run");
    expect(await clone.npmCalls()).toHaveLength(1);
  });

  test("does not take over an install of another lockfile", async () => {
    await mkdir(join(clone.root, "node_modules/wanted"), { recursive: true });
    await cp(
      join(clone.root, "package-lock.json"),
      join(clone.root, "node_modules/.package-lock.json"),
    );
    await clone.writeLockfile("2.0.0");
    await clone.start("run");
    expect(await clone.npmCalls()).toHaveLength(1);
  });

  test("installs once for two starts at the same time", async () => {
    await writeFile(join(clone.root, "npm-waits"), "");
    const first = clone.launch(["run"]);
    await until("npm runs", async () => (await clone.npmCalls()).length === 1);
    const second = clone.launch(["run"]);
    await until("the second waits", () => second.stderr().includes("waiting"));
    await rm(join(clone.root, "npm-waits"));
    expect(await first.done).toMatchObject({ code: 0 });
    expect(await second.done).toMatchObject({ code: 0 });
    expect(await clone.npmCalls()).toHaveLength(1);
  });

  test.each([
    ["of a dead process", JSON.stringify({ holders: [{ pid: DEAD_PID, identity: "x" }] })],
    [
      "whose pid another process has now",
      JSON.stringify({ holders: [{ pid: process.pid, identity: "an earlier boot:1" }] }),
    ],
    ["that is no lock at all", "garbage"],
  ])("removes a lock %s", async (_what, content) => {
    await mkdir(join(clone.root, ".clipmill"));
    await writeFile(join(clone.root, ".clipmill/install.lock"), content);
    expect(await clone.start("run")).toMatchObject({ code: 0 });
    expect(existsSync(join(clone.root, ".clipmill/install.lock"))).toBe(false);
  });

  test("waits for the npm of a start that was killed, rather than running a second one beside it", async () => {
    await writeFile(join(clone.root, "npm-waits"), "");
    const killed = clone.launch(["run"]);
    await until("npm runs", async () => (await clone.npmCalls()).length === 1);
    killed.child.kill("SIGKILL");
    const next = clone.launch(["run"]);
    await until("the next one waits", () => next.stderr().includes("waiting"));
    await rm(join(clone.root, "npm-waits"));
    expect(await next.done).toMatchObject({ code: 0 });
    expect(await clone.npmCalls()).toHaveLength(1);
  });

  test("does an interrupted installation again", async () => {
    await writeFile(join(clone.root, "npm-waits"), "");
    const interrupted = clone.launch(["run"]);
    await until("npm runs", async () => (await clone.npmCalls()).length === 1);
    interrupted.child.kill("SIGTERM");
    const { code, stderr } = await interrupted.done;
    expect(code).toBe(130);
    expect(stderr).toContain("interrupted");
    await rm(join(clone.root, "npm-waits"));
    expect(await clone.start("run")).toMatchObject({ code: 0 });
    expect(await clone.npmCalls()).toHaveLength(2);
  });

  test.each([
    ["npm error code ENOTFOUND", "Is the npm registry reachable"],
    ["npm error code EACCES", "this user cannot write to"],
  ])("explains a failed installation (%s) in words, without a stack", async (said, advice) => {
    await writeFile(join(clone.root, "npm-fails"), `${said}\n`);
    const { code, stdout, stderr } = await clone.start("run");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(advice);
    expect(stderr).not.toMatch(/^ {4}at /m);
    await rm(join(clone.root, "npm-fails"));
    expect(await clone.start("run")).toMatchObject({ code: 0 });
  });
});
