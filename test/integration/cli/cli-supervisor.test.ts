import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { identifyProcess } from "../../../apps/cli/bootstrap/pid-lock.mjs";
import { chooseApiPort } from "../../../apps/cli/src/up/api-port.ts";
import { EnvironmentError, UsageError } from "../../../apps/cli/src/failure.ts";
import { findRunState, lockHome } from "../../../apps/cli/src/up/run-state.ts";
import { createSupervisor, type Supervisor } from "../../../apps/cli/src/up/supervisor.ts";

/** Does what its argument says; counts its lives in a file. */
const CHILD = `
import { spawn } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
const [what] = process.argv.slice(2);
appendFileSync("lives", "x");
const life = readFileSync("lives", "utf8").length;
setInterval(() => {}, 1_000);
const ready = () => process.send({ type: "ready", url: "http://127.0.0.1:1/" + life });
process.on("SIGTERM", () => { if (what !== "deaf") { writeFileSync("stopped", ""); process.exit(0); } });
process.on("disconnect", () => process.exit(0));
if (what === "crash" || (what === "crash-once" && life === 1)) {
  console.error("the reason of crash " + life);
  process.exit(1);
}
if (what === "misconfigured") { console.error("PORT: wrong"); process.exit(2); }
if (what === "parent") {
  const { pid } = spawn("sleep", ["1000"], { stdio: "ignore" });
  writeFileSync("grandchild", String(pid));
}
if (what === "flags") writeFileSync("flags", process.execArgv.join(" "));
if (what === "log") {
  console.log(JSON.stringify({ level: 30, msg: "all is well" }));
  process.stdout.write('{"level":40,"msg":"disk nearly');
  await new Promise((done) => setTimeout(done, 20));
  console.log(' full","code":"storage_failed","secret":"hush"}');
}
ready();
`;

let directory: string;
let supervisor: Supervisor;
let notices: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-supervisor-"));
  await writeFile(
    join(directory, "child.mjs"),
    `process.chdir(${JSON.stringify(directory)});${CHILD}`,
  );
  notices = [];
  supervisor = createSupervisor({
    logDirectory: join(directory, "logs"),
    notice: (line) => notices.push(line),
    restartAfterMs: 10,
    stopWithinMs: 300,
  });
});

afterEach(async () => {
  supervisor.kill();
  await supervisor.stop();
  await rm(directory, { recursive: true, force: true });
});

function start(what: string, nodeFlags?: readonly string[]) {
  const modulePath = join(directory, "child.mjs");
  return supervisor.start({ name: "child", modulePath, args: [what], nodeFlags, env: process.env });
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error("waited in vain");
    await sleep(10);
  }
}

describe("the supervisor", () => {
  test("waits until a child is ready and tells its address", async () => {
    expect(await start("serve")).toEqual({ url: "http://127.0.0.1:1/1" });
  });

  test("gives a child the flags of Node that it is to have, and no others", async () => {
    await start("flags", ["--max-old-space-size=64"]);
    expect(await readFile(join(directory, "flags"), "utf8")).toBe("--max-old-space-size=64");
  });

  test("starts a crashed child again, and says so", async () => {
    expect(await start("crash-once")).toEqual({ url: "http://127.0.0.1:1/2" });
    expect(notices).toEqual([
      expect.stringMatching(/^child ended \(1\) and starts again in 0\.01 s/),
    ]);
  });

  test("gives up after three crashes in a row, with the last lines", async () => {
    const failed = expect(supervisor.failed).rejects.toBeInstanceOf(EnvironmentError);
    await expect(start("crash")).rejects.toThrow(/3 times in a row[^]*the reason of crash 3/);
    await failed;
    expect(await readFile(join(directory, "lives"), "utf8")).toBe("xxx");
  });

  test("does not start a child again that says its settings are wrong", async () => {
    await expect(start("misconfigured")).rejects.toThrow(new UsageError("PORT: wrong"));
    expect(await readFile(join(directory, "lives"), "utf8")).toBe("x");
  });

  test("stops a child by SIGTERM and waits for its end", async () => {
    await start("serve");
    await supervisor.stop();
    expect(existsSync(join(directory, "stopped"))).toBe(true);
    expect(notices).toEqual([]);
  });

  test("kills a child that does not stop in time", async () => {
    await start("deaf");
    await supervisor.stop();
    expect(notices).toEqual(["child did not stop within 0.3 s and is killed"]);
    expect(existsSync(join(directory, "stopped"))).toBe(false);
  });

  test("leaves nothing behind that a killed child had started", async () => {
    await start("parent");
    const grandchild = Number(readFileSync(join(directory, "grandchild"), "utf8"));
    expect(identifyProcess(grandchild)).not.toBeNull();
    supervisor.kill();
    await until(() => identifyProcess(grandchild) === null);
  });

  test("keeps the whole log and shows only warnings, without their fields", async () => {
    await start("log");
    await until(() => notices.length > 0);
    expect(notices).toEqual(["child: disk nearly full (storage_failed)"]);
    const log = await readFile(join(directory, "logs/child.log"), "utf8");
    expect(log).toContain("all is well");
  });
});

describe("a home", () => {
  test("belongs to one start at a time, which tells where it runs", async () => {
    const lock = lockHome(directory);
    expect(() => lockHome(directory)).toThrow(/another clipmill is starting or ending \(pid \d+/);
    const state = {
      apiUrl: "http://127.0.0.1:4600",
      databaseUrl: "postgres://u:p@127.0.0.1:1/x",
      sandboxUrl: null,
      startedAt: "now",
    };
    lock.publish(state);
    expect(findRunState(directory)).toEqual({ pid: process.pid, ...state, isEnding: false });
    expect(() => lockHome(directory)).toThrow(/already running at http:\/\/127\.0\.0\.1:4600 /);
    lock.release();
    expect(findRunState(directory)).toBeNull();
    lockHome(directory).release();
  });

  test("is free again after a kill -9, and what was published then counts no more", async () => {
    const holders = [{ pid: process.pid, identity: "an earlier boot:1" }];
    await writeFile(join(directory, "up.lock"), JSON.stringify({ holders }));
    await writeFile(
      join(directory, "run.json"),
      JSON.stringify({
        pid: process.pid,
        apiUrl: "http://127.0.0.1:1",
        databaseUrl: "",
        sandboxUrl: null,
        startedAt: "",
      }),
    );
    expect(findRunState(directory)).toBeNull();
    const lock = lockHome(directory);
    expect(existsSync(join(directory, "run.json"))).toBe(false);
    lock.release();
  });
});

describe("the API's port", () => {
  test("is an error where it is configured and taken, and names what configured it", async () => {
    const squatter = createServer().listen(0, "127.0.0.1");
    await once(squatter, "listening");
    const { port } = squatter.address() as AddressInfo;
    try {
      await expect(chooseApiPort("127.0.0.1", { port, origin: "PORT" })).rejects.toThrow(
        new UsageError(`PORT: port ${port} is taken; stop what uses it or choose another`),
      );
    } finally {
      squatter.close();
    }
    expect(await chooseApiPort("127.0.0.1", { port, origin: "PORT" })).toBe(port);
  });

  test("moves on where it is not configured", async () => {
    const first = await chooseApiPort("127.0.0.1", null);
    const squatter = createServer().listen(first, "127.0.0.1");
    await once(squatter, "listening");
    try {
      expect(await chooseApiPort("127.0.0.1", null)).toBeGreaterThan(first);
    } finally {
      squatter.close();
    }
  });
});
