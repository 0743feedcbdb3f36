import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What every launch has as SECRET_OF_THE_TEST in its environment. */
export const SECRET = "not-for-programs-of-others";
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

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

interface Launched {
  child: ChildProcess;
  done: Promise<Ended>;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
}

/** The bootstrap in a clone of its own, with an npm and a main.ts that only pretend. Disposing ends what was launched. */
export interface BootstrapClone extends AsyncDisposable {
  root: string;
  launch(args: string[], nodeArgs?: string[], changes?: NodeJS.ProcessEnv): Launched;
  start(...args: string[]): Promise<Ended>;
  /** Disposing ends this one too. */
  own(child: ChildProcess): void;
  /** The arguments of every npm so far. */
  npmCalls(): Promise<string[]>;
  /** What is to be installed, in this version. */
  writeLockfile(version: string): Promise<void>;
}

export async function createBootstrapClone(): Promise<BootstrapClone> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "clipmill-bootstrap-")));
  const children: ChildProcess[] = [];
  await writeClone(root);

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

  return {
    root,
    launch,
    start: (...args) => launch(args).done,
    own: (child) => void children.push(child),
    async npmCalls() {
      const path = join(root, "npm-calls");
      if (!existsSync(path)) return [];
      return (await readFile(path, "utf8")).trim().split("\n");
    },
    writeLockfile: (version) => writeLockfile(root, version),
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill("SIGKILL");
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function writeClone(root: string): Promise<void> {
  await mkdir(join(root, "apps/cli/src"), { recursive: true });
  await cp(new URL("clipmill.mjs", CLI), join(root, "apps/cli/clipmill.mjs"));
  await cp(new URL("bootstrap", CLI), join(root, "apps/cli/bootstrap"), { recursive: true });
  await writeFile(join(root, "apps/cli/src/main.ts"), FAKE_MAIN);
  await writeFile(join(root, "package.json"), '{ "type": "module" }');
  await writeLockfile(root, "1.0.0");
  await mkdir(join(root, "npm"));
  await writeFile(join(root, "npm/package.json"), '{ "type": "module" }');
  await writeFile(join(root, "npm/npm-cli.js"), FAKE_NPM);
}

async function writeLockfile(root: string, version: string): Promise<void> {
  const packages = {
    "": { name: "clipmill" },
    "node_modules/wanted": { version },
    "node_modules/tool": { version, dev: true },
    "node_modules/elsewhere": { version, optional: true, os: ["plan9"] },
  };
  await writeFile(join(root, "package-lock.json"), JSON.stringify({ packages }));
}

/** Throws after 10 s. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(10);
  }
}
