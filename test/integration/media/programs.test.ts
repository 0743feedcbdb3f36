import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { casePath, hasCases } from "../../support/cases.ts";
import { startLauncher } from "../../../packages/providers/src/programs/launcher.ts";
import { runProgram } from "../../../packages/providers/src/programs/run-program.ts";

const PROGRAMS = join(import.meta.dirname, "../../../packages/providers/src/programs");
const { signal } = new AbortController();
const WAIT = { timeout: 20_000, interval: 50 };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-programs-"));
});
afterEach(() => rm(directory, { recursive: true }));

const sh = (script: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  runProgram("/bin/sh", ["-c", script], { signal, timeoutMs: 60_000, ...options });

const isAlive = (pid: number): boolean => {
  try {
    // One that nobody has buried yet is dead.
    if (process.platform === "linux")
      return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** The ids that a script has written to these files, each once it is there. */
async function readPids(...names: string[]): Promise<number[]> {
  const pids: number[] = [];
  for (const name of names) {
    const read = () => readFile(join(directory, name), "utf8").then(Number, () => 0);
    await expect.poll(read, WAIT).toBeGreaterThan(0);
    pids.push(await read());
  }
  return pids;
}

const expectGone = (pids: readonly number[]) =>
  expect.poll(() => pids.filter(isAlive), WAIT).toEqual([]);

/** A child in its group, one that ignores SIGTERM, and one in a session of its own; all keep the pipe. */
const FAMILY = (at: string) => `
  sleep 600 & echo $! > "${at}/child"
  sh -c 'trap "" TERM HUP; sleep 600; sleep 600' & echo $! > "${at}/deaf"
  setsid sleep 600 & echo $! > "${at}/apart"
  echo $$ > "${at}/self"`;

// What holds for programs holds whoever starts them.
const STARTERS = [
  { starter: "this process", hasLauncher: false },
  { starter: "a launcher", hasLauncher: true },
];

describe.skipIf(process.platform === "win32").each(STARTERS)("started by $starter,", (how) => {
  const { hasLauncher } = how;
  let launcher: ReturnType<typeof startLauncher> | null = null;
  beforeAll(() => {
    if (hasLauncher) launcher = startLauncher();
  });
  afterAll(() => launcher?.close());

  describe("a program that starts others", () => {
    test("ends with all of them at its limit", async () => {
      const ended = sh(`${FAMILY(directory)}; sleep 600`, { timeoutMs: 3_000 });
      ended.catch(() => {});
      const pids = await readPids("self", "child", "deaf");
      expect(pids.every(isAlive)).toBe(true);
      await expect(ended).rejects.toMatchObject({ reason: "timeout" });
      await expectGone(pids);
    });

    test("ends with all of them at the abort", async () => {
      const abort = new AbortController();
      const ended = sh(`${FAMILY(directory)}; sleep 600`, { signal: abort.signal });
      ended.catch(() => {});
      const pids = await readPids("self", "child", "deaf");
      abort.abort(new Error("lease lost"));
      await expect(ended).rejects.toThrow("lease lost");
      await expectGone(pids);
    });

    test("takes with it what made itself a session of its own (on Linux)", async (context) => {
      if (process.platform !== "linux") context.skip();
      const abort = new AbortController();
      const ended = sh(`${FAMILY(directory)}; sleep 600`, { signal: abort.signal });
      ended.catch(() => {});
      const pids = await readPids("apart");
      expect(pids.every(isAlive)).toBe(true);
      abort.abort(new Error("lease lost"));
      await expect(ended).rejects.toThrow("lease lost");
      await expectGone(pids);
    });

    test("has ended when it ends itself, whoever keeps its pipe, and its output is whole", async () => {
      const output = await sh(`${FAMILY(directory)}; seq 1 20000`);
      expect(output.trim().split("\n")).toHaveLength(20_000);
      await expectGone(await readPids("self", "child", "deaf"));
    });

    test.skipIf(!hasCases)(
      "as a recogniser did that waits for another program (needs ../shared/cases)",
      async () => {
        const wav = join(directory, "long.wav");
        await writeFile(wav, Buffer.alloc(4_000));
        const path = casePath("00-shared", "slow-ps.sh");
        const started = performance.now();
        const ended = runProgram(path, ["-infile", wav], { signal, timeoutMs: 2_000 });
        await expect(ended).rejects.toMatchObject({ reason: "timeout" });
        // It sleeps for twelve minutes.
        expect(performance.now() - started).toBeLessThan(30_000);
      },
    );

    test("ends with all of them when this process is killed", async () => {
      // Another process in our place, which dies as a worker does that the kernel kills.
      const script = `
      const { startLauncher } = await import(${JSON.stringify(join(PROGRAMS, "launcher.ts"))});
      const { runProgram } = await import(${JSON.stringify(join(PROGRAMS, "run-program.ts"))});
      if (${hasLauncher}) startLauncher();
      await runProgram("/bin/sh", ["-c", ${JSON.stringify(`${FAMILY(directory)}; sleep 600`)}],
        { signal: new AbortController().signal, timeoutMs: 60_000 });`;
      const flags = ["--input-type=module", "-e", script];
      const parent = spawn(process.execPath, flags, { stdio: "ignore" });
      const pids = await readPids("self", "child", "deaf");
      expect(pids.every(isAlive)).toBe(true);
      parent.kill("SIGKILL");
      await expectGone(pids);
      if (process.platform === "linux") await expectGone(await readPids("apart"));
    });
  });

  describe("every program", () => {
    test("has limits, and may have others", async () => {
      const ask = "ulimit -c; ulimit -t; ulimit -f";
      const [core, cpu, file] = (await sh(ask, { timeoutMs: 5_000 })).trim().split("\n");
      expect(core).toBe("0");
      expect(Number(cpu)).toBeGreaterThanOrEqual(5);
      expect(file).toBe(String((4 * 1024 ** 3) / 512));
      const limits = { maxFileBytes: 1024 * 1024, maxMemoryBytes: 512 * 1024 * 1024 };
      const other = { signal, timeoutMs: 5_000, ...limits };
      expect(await runProgram("/bin/sh", ["-c", "ulimit -f"], other)).toBe("2048\n");
      if (process.platform !== "linux") return;
      expect(await runProgram("/bin/sh", ["-c", "ulimit -v"], other)).toBe("524288\n");
      expect(await sh("ulimit -v")).toBe(`${2 * 1024 * 1024}\n`);
    });

    test("that writes more than it may is ended", async () => {
      const path = join(directory, "big");
      const options = { signal, timeoutMs: 20_000, maxFileBytes: 1024 * 1024 };
      const write = `exec head -c 3000000 /dev/zero > "${path}"`;
      await expect(runProgram("/bin/sh", ["-c", write], options)).rejects.toMatchObject({
        reason: "killed",
      });
      expect((await readFile(path)).length).toBeLessThanOrEqual(1024 * 1024);
    });

    test("that is not there, or may not be run, is missing", async () => {
      const path = join(directory, "no-program");
      const missing = { reason: "missing" };
      const options = { signal, timeoutMs: 5_000 };
      await expect(runProgram(path, [], options)).rejects.toMatchObject(missing);
      await writeFile(path, "text", { mode: 0o644 });
      await expect(runProgram(path, [], options)).rejects.toMatchObject(missing);
    });
  });
});
