// Brings node_modules to what package-lock.json says, once, however many starts ask for it at the same time.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findNpm } from "./npm.mjs";
import { tryPidLock } from "./pid-lock.mjs";

const LOCK_POLL_MS = 200;
const PROGRESS_EVERY_MS = 5_000;

/** @param {"prod" | "dev"} mode `dev` also brings what tests and checks need, and serves both. */
export async function ensureInstalled(root, wanted) {
  if (isStamped(root, wanted)) return;
  const lock = await acquireLock(root);
  try {
    if (isStamped(root, wanted)) return;
    if (isComplete(root, wanted)) return stamp(root, wanted);
    // Whoever works on clipmill and starts it with a changed lockfile keeps the tools.
    const mode = hasTools(root) ? "dev" : wanted;
    await install(root, mode, lock);
    stamp(root, mode);
  } catch (error) {
    throw error.code === "EACCES" || error.code === "EROFS" ? explainAccess(root, error) : error;
  } finally {
    lock.release();
  }
}

const stampPath = (root) => join(root, "node_modules/.clipmill-install.json");
const lockfilePath = (root) => join(root, "package-lock.json");
/** npm writes this one last, so it exists only after a whole install, and any later install changes it. */
const installedPath = (root) => join(root, "node_modules/.package-lock.json");

function isStamped(root, mode) {
  try {
    const stamp = JSON.parse(readFileSync(stampPath(root), "utf8"));
    return (
      stamp.lockfile === hash(lockfilePath(root)) &&
      stamp.installed === hash(installedPath(root)) &&
      (stamp.mode === mode || stamp.mode === "dev")
    );
  } catch {
    return false;
  }
}

function stamp(root, mode) {
  const lockfile = hash(lockfilePath(root));
  const installed = hash(installedPath(root));
  try {
    writeFileSync(stampPath(root), JSON.stringify({ lockfile, installed, mode }));
  } catch (error) {
    // Somebody else's complete install serves as well; only the next start is slower by the comparison.
    if (error.code !== "EACCES" && error.code !== "EROFS") throw error;
  }
}

function hash(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function hasTools(root) {
  try {
    const { packages } = JSON.parse(readFileSync(installedPath(root), "utf8"));
    return Object.entries(packages).some(
      ([path, { dev }]) => dev === true && existsSync(join(root, path)),
    );
  } catch {
    return false;
  }
}

/** Whether a plain `npm ci` by hand has already done the work. */
function isComplete(root, mode) {
  if (!existsSync(installedPath(root))) return false;
  const wanted = JSON.parse(readFileSync(lockfilePath(root), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedPath(root), "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "" || (mode === "prod" && (entry.dev || entry.devOptional))) return true;
    if (entry.optional && !fitsPlatform(entry)) return true;
    // What only a package of another platform needs names no platform itself, and npm leaves it out all the same.
    const isPlain = entry.os === undefined && entry.cpu === undefined;
    if (entry.optional && isPlain && installed[path] === undefined) return true;
    // `npm install --package-lock-only` writes the installed list as well, and installs nothing.
    return installed[path]?.version === entry.version && existsSync(join(root, path));
  });
}

function fitsPlatform({ os, cpu, libc }) {
  const fits = (list, value) => list === undefined || list.includes(value);
  return (
    fits(os, process.platform) && fits(cpu, process.arch) && (libc ?? ["glibc"])[0] === "glibc"
  );
}

async function acquireLock(root) {
  let told = false;
  for (;;) {
    const { lock, heldBy } = takeLock(root);
    if (lock !== undefined) return lock;
    if (!told)
      console.error(`clipmill: another start (pid ${heldBy}) is installing; waiting for it`);
    told = true;
    await sleep(LOCK_POLL_MS);
  }
}

function takeLock(root) {
  try {
    return tryPidLock(join(root, ".clipmill/install.lock"));
  } catch (error) {
    throw error.code === "EACCES" || error.code === "EROFS" ? explainAccess(root, error) : error;
  }
}

async function install(root, mode, lock) {
  // With npm ci the files of a running `clipmill up` would vanish for a while; adding the tools does not need that.
  const addTools = mode === "dev" && isStamped(root, "prod");
  rmSync(stampPath(root), { force: true });
  // npm ci empties node_modules in no certain order; killed half-way it must not look like a whole install.
  if (!addTools) rmSync(installedPath(root), { force: true });
  const args = addTools
    ? ["install", "--no-save", "--include=dev"]
    : ["ci", mode === "dev" ? "--include=dev" : "--omit=dev"];
  const what = mode === "dev" ? "dependencies and tools" : "dependencies";
  console.error(`clipmill: installing ${what} (once; about a minute)`);
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  const progress = setInterval(
    () => console.error(`clipmill: … ${seconds()} s`),
    PROGRESS_EVERY_MS,
  );
  try {
    await runNpm(root, [...args, "--prefix", root, "--loglevel=error", "--no-progress"], lock);
  } finally {
    clearInterval(progress);
  }
  console.error(`clipmill: installed in ${seconds()} s`);
}

function runNpm(root, args, lock) {
  const [program, ...first] = findNpm();
  return new Promise((resolve, reject) => {
    const npm = spawn(program, [...first, ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...toCacheEnv(root) },
    });
    // Whoever is killed, this process or npm: nobody else installs while the other still does.
    if (npm.pid !== undefined) lock.addHolder(npm.pid);
    let output = "";
    for (const stream of [npm.stdout, npm.stderr]) {
      stream.on("data", (chunk) => (output = (output + chunk).slice(0, 4_000)));
    }
    let interrupted = false;
    const forward = (signal) => {
      interrupted = true;
      npm.kill(signal);
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, forward);
    npm.on("error", (error) =>
      reject(
        explain(
          `npm does not start (${error.message}): install npm, or run \`npm ci\` in ${root} by hand`,
        ),
      ),
    );
    npm.on("close", (code, signal) => {
      for (const name of signals) process.off(name, forward);
      if (code === 0) resolve();
      else if (interrupted || signal !== null)
        reject(explain(`the installation was interrupted; the next start does it again`, 130));
      else if (/^npm error code (EACCES|EPERM|EROFS)$/m.test(output)) {
        reject(explainAccess(root, { path: /^npm error path (.+)$/m.exec(output)?.[1] ?? root }));
      } else
        reject(
          explain(
            `\`npm ${args[0]}\` failed (exit ${code}). Is the npm registry reachable (\`npm ping\`) and is there disk space (1 GB)? Then start again. npm said:\n${toReason(output)}`,
          ),
        );
    });
  });
}

/** npm keeps its cache in the home directory; a user without one, as in many containers, gets one in the clone. */
function toCacheEnv(root) {
  if (Object.keys(process.env).some((name) => /^npm_config_cache$/i.test(name))) return {};
  const cache = join(homedir(), ".npm");
  try {
    accessSync(existsSync(cache) ? cache : homedir(), constants.W_OK);
    return {};
  } catch {
    return { npm_config_cache: join(root, ".clipmill/npm-cache") };
  }
}

/** npm tells the reason first and then, at length, how it could have been called. */
function toReason(output) {
  return output.trim().split("\n").slice(0, 12).join("\n");
}

function explainAccess(root, error) {
  const owned = [join(root, "node_modules"), join(root, ".clipmill"), root].find(
    (path) => existsSync(path) && statSync(path).uid !== process.getuid?.(),
  );
  const whose = owned === undefined ? "" : ` ${owned} belongs to user ${statSync(owned).uid}.`;
  const which = error?.path === undefined ? root : error.path;
  return explain(
    `this user cannot write to ${which}.${whose} Start as the user who installed clipmill, or hand the folder over: chown -R "$(id -un)" ${root}`,
  );
}

function explain(message, exitCode = 1) {
  return Object.assign(new Error(message), { explained: true, exitCode });
}
