import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { startLauncher } from "../../../packages/providers/src/programs/launcher.ts";
import { runProgram } from "../../../packages/providers/src/programs/run-program.ts";

const { signal } = new AbortController();
const WAIT = { timeout: 20_000, interval: 20 };
const isLinux = process.platform === "linux";

const sh = (script: string, on: AbortSignal = signal) =>
  runProgram("/bin/sh", ["-c", script], { signal: on, timeoutMs: 60_000 });

const isAlive = (pid: number): boolean => {
  try {
    if (isLinux) return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe.skipIf(process.platform === "win32")("a launcher", () => {
  let directory: string;
  let launcher: ReturnType<typeof startLauncher>;
  beforeAll(() => {
    // What we were started with, and what is no business of a program.
    vi.stubEnv("TIKLIVE_API_KEY", "not-for-programs-of-others");
    launcher = startLauncher();
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await launcher.close();
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "clipmill-launcher-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const readPid = async (name: string): Promise<number> => {
    const read = () => readFile(join(directory, name), "utf8").then(Number, () => 0);
    await expect.poll(read, WAIT).toBeGreaterThan(0);
    return await read();
  };
  /** Something that runs until it is ended, and the process id of what started it. */
  async function startSleeper(on: AbortSignal = signal) {
    await rm(join(directory, "self"), { force: true });
    const ended = sh(
      `echo $PPID > "${directory}/parent"; echo $$ > "${directory}/self"; sleep 600; :`,
      on,
    );
    const reason = ended.then(
      () => "done",
      (error: unknown) => error,
    );
    const pid = await readPid("self");
    return { reason, pid, launcherPid: await readPid("parent") };
  }

  test("starts programs in our place, and they are not our children", async () => {
    const parent = Number(await sh("echo $PPID"));
    expect(parent).not.toBe(process.pid);
    expect(isAlive(parent)).toBe(true);
  });

  test.skipIf(!isLinux)("shows them none of our keys (on Linux)", async () => {
    const shown = await sh("cat /proc/$PPID/environ");
    expect(shown).toContain("PATH=");
    expect(shown).not.toContain("not-for-programs-of-others");
  });

  test("has them step back from the processors, and not itself", async () => {
    expect(await sh("nice")).toBe("10\n");
    expect((await sh("ps -o ni= -p $PPID")).trim()).toBe("0");
  });

  test("hands on all that a program may write, and not more", async () => {
    const size = 8 * 1024 * 1024;
    const text = await sh(`seq 1 2000000 | head -c ${size}`);
    expect(text).toHaveLength(size);
    expect(text.slice(0, 6)).toBe("1\n2\n3\n");
    expect(text.split("\n").findIndex((line, at) => line !== String(at + 1))).toBe(
      text.split("\n").length - 1,
    );
    await expect(sh(`head -c ${size + 1} /dev/zero`)).rejects.toMatchObject({ reason: "output" });
  });

  test("ends one program at its abort, and leaves the others", async () => {
    const other = sh(`while [ ! -e "${directory}/go" ]; do sleep 0.05; done; echo done`);
    const abort = new AbortController();
    const sleeper = await startSleeper(abort.signal);
    abort.abort(new Error("lease lost"));
    expect(await sleeper.reason).toEqual(new Error("lease lost"));
    expect(isAlive(sleeper.pid)).toBe(false);
    await sh(`: > "${directory}/go"`);
    expect(await other).toBe("done\n");
  });

  test("that is killed takes what it ran with it before that settles, and the next run has another", async () => {
    const sleeper = await startSleeper();
    process.kill(sleeper.launcherPid, "SIGKILL");
    expect(await sleeper.reason).toMatchObject({ name: "ProgramError", reason: "killed" });
    expect(isAlive(sleeper.pid)).toBe(false);
    const other = Number(await sh("echo $PPID"));
    expect([sleeper.launcherPid, process.pid]).not.toContain(other);
  });

  test("outlives the signals that ask our whole group to stop", async () => {
    const sleeper = await startSleeper();
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.kill(sleeper.launcherPid, name);
    expect(Number(await sh("echo $PPID"))).toBe(sleeper.launcherPid);
    process.kill(sleeper.launcherPid, "SIGKILL");
    await sleeper.reason;
  });

  test("is gone once it is closed, with what it still ran", async () => {
    const sleeper = await startSleeper();
    await launcher.close();
    expect(await sleeper.reason).toMatchObject({ reason: "killed" });
    expect([sleeper.pid, sleeper.launcherPid].filter(isAlive)).toEqual([]);
    // Without one, programs are our own children.
    expect(Number(await sh("echo $PPID"))).toBe(process.pid);
    launcher = startLauncher();
  });

  test.skipIf(!isLinux)(
    "does not hold our event loop, as a start of our own does (on Linux)",
    { timeout: 120_000 },
    async () => {
      // A worker has its heap, and page tables for it, which each start of its own copies.
      const heap = Array.from({ length: 200 }, () => Buffer.alloc(1024 * 1024, 1));
      const viaLauncher = await measureStartMs();
      await launcher.close();
      const direct = await measureStartMs();
      launcher = startLauncher();
      expect(heap).toHaveLength(200);
      expect(viaLauncher).toBeLessThan(direct / 3);
    },
  );
});

/** How long our loop stands still for the start of a program: the median of many. */
async function measureStartMs(): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < 9; count++) {
    const startedAt = performance.now();
    const ended = sh(":");
    times.push(performance.now() - startedAt);
    await ended;
  }
  return times.toSorted((a, b) => a - b)[4] ?? NaN;
}
