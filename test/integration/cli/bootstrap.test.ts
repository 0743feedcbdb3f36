import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const SECRET = "not-for-programs-of-others";
const DEAD_PID = 4_194_305; // above the kernel's largest pid
const CLI = new URL("../../../apps/cli/", import.meta.url);

/** Records its calls, and "installs" by writing the file that the real one writes last. */
const FAKE_NPM = `
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
const args = process.argv.slice(2).join(" ");
appendFileSync("npm-calls", args + "\\n");
writeFileSync("npm-cache", process.env.npm_config_cache ?? "its own");
process.on("SIGTERM", () => process.exit(1));
while (existsSync("npm-waits")) await new Promise((done) => setTimeout(done, 10));
if (existsSync("npm-fails")) {
  console.error(readFileSync("npm-fails", "utf8"));
  process.exit(1);
}
mkdirSync("node_modules", { recursive: true });
const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const path of Object.keys(packages)) mkdirSync(path || ".", { recursive: true });
const wanted = Object.entries(packages).filter(([, entry]) => !entry.dev || args.includes("--include=dev"));
writeFileSync("node_modules/.package-lock.json", JSON.stringify({ packages: Object.fromEntries(wanted) }));
`;
const FAKE_MAIN = `
const [command, ...rest] = process.argv.slice(2);
if (command === "wait") {
  process.on("SIGTERM", () => { console.log("stopped"); process.exit(7); });
  process.on("disconnect", () => process.exit());
  setInterval(() => {}, 1_000);
  console.log(JSON.stringify({ pid: process.pid, secret: process.env.SECRET_OF_THE_TEST }));
}
console.log(JSON.stringify({ command, rest, cwd: process.cwd(), node: Number(process.versions.node.split(".")[0]) }));
if (command === "exit") process.exit(Number(rest[0]));
`;

let root: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "clipmill-bootstrap-")));
  await mkdir(join(root, "apps/cli/src"), { recursive: true });
  await cp(new URL("clipmill.mjs", CLI), join(root, "apps/cli/clipmill.mjs"));
  await cp(new URL("bootstrap", CLI), join(root, "apps/cli/bootstrap"), { recursive: true });
  await writeFile(join(root, "apps/cli/src/main.ts"), FAKE_MAIN);
  await writeFile(join(root, "package.json"), '{ "type": "module" }');
  await writeLockfile("1.0.0");
  await mkdir(join(root, "npm"));
  await writeFile(join(root, "npm/package.json"), '{ "type": "module" }');
  await writeFile(join(root, "npm/npm-cli.js"), FAKE_NPM);
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(root, { recursive: true, force: true });
});

async function writeLockfile(version: string): Promise<void> {
  const packages = {
    "": { name: "clipmill" },
    "node_modules/wanted": { version },
    "node_modules/tool": { version, dev: true },
    "node_modules/elsewhere": { version, optional: true, os: ["plan9"] },
  };
  await writeFile(join(root, "package-lock.json"), JSON.stringify({ packages }));
}

function launch(args: string[], nodeArgs: string[] = [], changes: NodeJS.ProcessEnv = {}) {
  const { npm_config_cache: _ofTheTests, ...own } = process.env;
  const child = spawn(
    process.execPath,
    [...nodeArgs, join(root, "apps/cli/clipmill.mjs"), ...args],
    {
      cwd: tmpdir(),
      env: {
        ...own,
        npm_execpath: join(root, "npm/npm-cli.js"),
        SECRET_OF_THE_TEST: SECRET,
        ...changes,
      },
    },
  );
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const done = once(child, "close").then(([code]) => ({ code: code as number, stdout, stderr }));
  return { child, done, stdout: () => stdout, stderr: () => stderr };
}

const start = (...args: string[]) => launch(args).done;

async function npmCalls(): Promise<string[]> {
  const path = join(root, "npm-calls");
  if (!existsSync(path)) return [];
  return (await readFile(path, "utf8")).trim().split("\n");
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(10);
  }
}

describe("the bootstrap", () => {
  test("installs without tools, runs main.ts on Node 24 in the caller's directory, and not again", async () => {
    const first = await start("run", "a b");
    expect(JSON.parse(first.stdout)).toEqual({
      command: "run",
      rest: ["a b"],
      cwd: await realpath(tmpdir()),
      node: expect.toSatisfy((major: number) => major >= 24),
    });
    expect(first.stderr).toContain("clipmill: installing dependencies");
    const second = await start("run");
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(await npmCalls()).toEqual([expect.stringMatching(/^ci --omit=dev --prefix /)]);
  });

  test("brings the tools for `dev` without emptying node_modules, and then serves both", async () => {
    await start("run");
    await start("dev", "test");
    await start("dev", "test");
    await start("run");
    expect(await npmCalls()).toEqual([
      expect.stringMatching(/^ci --omit=dev /),
      expect.stringMatching(/^install --no-save --include=dev /),
    ]);
  });

  test("installs again when the lockfile has changed", async () => {
    await start("run");
    await writeLockfile("2.0.0");
    await start("run");
    expect(await npmCalls()).toHaveLength(2);
  });

  test("keeps the tools, where they are, when the lockfile has changed", async () => {
    await start("dev", "test");
    await writeLockfile("2.0.0");
    await start("run");
    await start("dev", "test");
    const withTools = expect.stringMatching(/^ci --include=dev /) as unknown;
    expect(await npmCalls()).toEqual([withTools, withTools]);
  });

  test("gives npm a cache in the clone where the home directory cannot be written to", async () => {
    const cacheFor = async (home: string) => {
      await rm(join(root, "node_modules"), { recursive: true, force: true });
      await launch(["run"], [], { HOME: home }).done;
      return readFile(join(root, "npm-cache"), "utf8");
    };
    expect(await cacheFor(root)).toBe("its own");
    expect(await cacheFor("/nonexistent")).toBe(join(root, ".clipmill/npm-cache"));
  });

  test.each(["--version", "-v", "version"])(
    "tells its version for %s and installs nothing",
    async (asked) => {
      await writeFile(join(root, "package.json"), '{ "type": "module", "version": "1.2.3" }');
      expect(await start(asked)).toMatchObject({ code: 0, stdout: "1.2.3\n", stderr: "" });
      expect(await npmCalls()).toEqual([]);
    },
  );

  test("takes over what `npm ci` by hand has installed", async () => {
    await mkdir(join(root, "node_modules/wanted"), { recursive: true });
    await cp(join(root, "package-lock.json"), join(root, "node_modules/.package-lock.json"));
    expect((await start("run")).code).toBe(0);
    expect(await npmCalls()).toEqual([]);
  });

  test("does not believe npm's list of what is installed where the packages are not there", async () => {
    await mkdir(join(root, "node_modules"));
    await cp(join(root, "package-lock.json"), join(root, "node_modules/.package-lock.json"));
    await start("run");
    expect(await npmCalls()).toHaveLength(1);
  });

  test("does not take over an install of another lockfile", async () => {
    await mkdir(join(root, "node_modules/wanted"), { recursive: true });
    await cp(join(root, "package-lock.json"), join(root, "node_modules/.package-lock.json"));
    await writeLockfile("2.0.0");
    await start("run");
    expect(await npmCalls()).toHaveLength(1);
  });

  test("installs once for two starts at the same time", async () => {
    await writeFile(join(root, "npm-waits"), "");
    const first = launch(["run"]);
    await until("npm runs", async () => (await npmCalls()).length === 1);
    const second = launch(["run"]);
    await until("the second waits", () => second.stderr().includes("waiting"));
    await rm(join(root, "npm-waits"));
    expect(await first.done).toMatchObject({ code: 0 });
    expect(await second.done).toMatchObject({ code: 0 });
    expect(await npmCalls()).toHaveLength(1);
  });

  test.each([
    ["of a dead process", JSON.stringify({ holders: [{ pid: DEAD_PID, identity: "x" }] })],
    [
      "whose pid another process has now",
      JSON.stringify({ holders: [{ pid: process.pid, identity: "an earlier boot:1" }] }),
    ],
    ["that is no lock at all", "garbage"],
  ])("removes a lock %s", async (_what, content) => {
    await mkdir(join(root, ".clipmill"));
    await writeFile(join(root, ".clipmill/install.lock"), content);
    expect(await start("run")).toMatchObject({ code: 0 });
    expect(existsSync(join(root, ".clipmill/install.lock"))).toBe(false);
  });

  test("waits for the npm of a start that was killed, rather than running a second one beside it", async () => {
    await writeFile(join(root, "npm-waits"), "");
    const killed = launch(["run"]);
    await until("npm runs", async () => (await npmCalls()).length === 1);
    killed.child.kill("SIGKILL");
    const next = launch(["run"]);
    await until("the next one waits", () => next.stderr().includes("waiting"));
    await rm(join(root, "npm-waits"));
    expect(await next.done).toMatchObject({ code: 0 });
    expect(await npmCalls()).toHaveLength(1);
  });

  test("does an interrupted installation again", async () => {
    await writeFile(join(root, "npm-waits"), "");
    const interrupted = launch(["run"]);
    await until("npm runs", async () => (await npmCalls()).length === 1);
    interrupted.child.kill("SIGTERM");
    const { code, stderr } = await interrupted.done;
    expect(code).toBe(130);
    expect(stderr).toContain("interrupted");
    await rm(join(root, "npm-waits"));
    expect(await start("run")).toMatchObject({ code: 0 });
    expect(await npmCalls()).toHaveLength(2);
  });

  test.each([
    ["npm error code ENOTFOUND", "Is the npm registry reachable"],
    ["npm error code EACCES", "this user cannot write to"],
  ])("explains a failed installation (%s) in words, without a stack", async (said, advice) => {
    await writeFile(join(root, "npm-fails"), `${said}\n`);
    const { code, stdout, stderr } = await start("run");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(advice);
    expect(stderr).not.toMatch(/^ {4}at /m);
    await rm(join(root, "npm-fails"));
    expect(await start("run")).toMatchObject({ code: 0 });
  });

  test("passes the exit code on", async () => {
    expect(await start("exit", "3")).toMatchObject({ code: 3 });
  });

  test.skipIf(process.platform !== "linux")(
    "shows its environment to no other process, nor does main.ts, which has it (on Linux)",
    async () => {
      const running = launch(["wait"]);
      await until("main.ts runs", () => running.stdout().includes("wait"));
      const { pid, secret } = JSON.parse(running.stdout().split("\n", 1)[0] ?? "") as {
        pid: number;
        secret: string;
      };
      expect(secret).toBe(SECRET);
      for (const shown of [running.child.pid, pid])
        expect(await readFile(`/proc/${shown}/environ`, "latin1")).not.toContain(SECRET);
    },
  );

  test("passes SIGTERM on and waits for the end", async () => {
    const running = launch(["wait"]);
    await until("main.ts runs", () => running.stdout().includes("wait"));
    running.child.kill("SIGTERM");
    expect(await running.done).toMatchObject({
      code: 7,
      stdout: expect.stringContaining("stopped"),
    });
  });

  test("leaves no main.ts behind when it is killed", async () => {
    const running = launch(["wait"]);
    await until("main.ts runs", () => running.stdout().includes("wait"));
    running.child.kill("SIGKILL");
    // The pipes close only when main.ts, which shares them, has ended as well.
    await running.done;
  });

  test("stops when the shell that npm had started it through is gone", async () => {
    const script = `${process.execPath} ${join(root, "apps/cli/clipmill.mjs")} wait; true`;
    const npmExecpath = join(root, "npm/npm-cli.js");
    const env = { ...process.env, npm_execpath: npmExecpath, npm_lifecycle_event: "start" };
    const shell = spawn("sh", ["-c", script], { cwd: tmpdir(), env });
    children.push(shell);
    let stdout = "";
    shell.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    await until("main.ts runs", () => stdout.includes("wait"));
    shell.kill("SIGTERM");
    await once(shell, "close");
    expect(stdout).toContain("stopped");
  });

  test("says in one line what is wrong with an old Node, and exits with 2", async () => {
    const pretend = `data:text/javascript,Object.defineProperty(process, "versions", { value: { node: "18.19.0" } })`;
    const { code, stderr, stdout } = await launch(["run"], ["--import", pretend]).done;
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(/Node 20 or newer.*18\.19\.0/),
    ]);
    expect(await npmCalls()).toEqual([]);
  });
});
