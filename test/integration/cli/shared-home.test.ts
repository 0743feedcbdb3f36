import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { MAIN, ROOT } from "../../../apps/cli/src/paths.ts";
import { enterHome, waitForSeats } from "../../../apps/cli/src/run/shared-home.ts";
import { findRunState, lockHome } from "../../../apps/cli/src/up/run-state.ts";
import { findFreePort } from "../../support/servers/free-port.ts";

const CLIP = join(ROOT, "packages/sandbox/pack/media/7000000000000000002.mp4");
const STATE = { apiUrl: null, databaseUrl: "postgres://h/x", sandboxUrl: null, startedAt: "now" };
const { ffmpeg } = inject("tools");

let home: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "clipmill-shared-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  await rm(home, { recursive: true, force: true });
});

function enter(signal = new AbortController().signal, waitMs?: number) {
  const notices: string[] = [];
  const notice = (line: string): void => void notices.push(line);
  const entered = enterHome(home, { notice, signal, ...(waitMs === undefined ? {} : { waitMs }) });
  return { entered, notices };
}

describe("a home", () => {
  test("in which nothing runs is the caller's to start in", async () => {
    const { lock, seat } = await enter().entered;
    expect(seat).toBeUndefined();
    lock?.release();
  });

  test("where a start is under way is waited for, and then shared", async () => {
    const lock = lockHome(home);
    const { entered, notices } = enter();
    await vi.waitFor(() => expect(notices).toEqual([expect.stringContaining("waiting for it")]));
    lock.publish(STATE);
    const { seat } = await entered;
    expect(seat?.state).toMatchObject(STATE);
    seat?.leave();
    lock.release();
  });

  test("whose start fails goes to the one who waited", async () => {
    const lock = lockHome(home);
    const { entered, notices } = enter();
    await vi.waitFor(() => expect(notices).toHaveLength(1));
    lock.release();
    const next = await entered;
    expect(next.lock).toBeDefined();
    next.lock?.release();
  });

  test("is not waited for for ever, nor after Ctrl-C", async () => {
    const lock = lockHome(home);
    await expect(enter(undefined, 300).entered).rejects.toThrow(
      /is starting in .* see its terminal/,
    );
    await expect(enter(AbortSignal.abort()).entered).rejects.toThrow("interrupted");
    lock.release();
  });

  test("is kept for those who share it, until the last has left", async () => {
    const lock = lockHome(home);
    lock.publish(STATE);
    const { seat } = await enter().entered;
    lock.withdraw({ atOnce: false });
    expect(findRunState(home)).toBeNull();
    const notices: string[] = [];
    const { signal } = new AbortController();
    let isFree = false;
    const left = waitForSeats(home, { notice: (line) => notices.push(line), signal }).then(
      () => (isFree = true),
    );
    await vi.waitFor(() => expect(notices).toEqual([expect.stringContaining("1 more")]));
    expect(isFree).toBe(false);
    seat?.leave();
    await left;
    lock.release();
  });

  test("that is stopped under those who share it tells them", async () => {
    const lock = lockHome(home);
    lock.publish(STATE);
    const { seat } = await enter().entered;
    lock.withdraw({ atOnce: true });
    await expect(seat?.ended).rejects.toThrow(/has ended: run the command again/);
    seat?.leave();
    lock.release();
  });
});

function clipmill(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env["PATH"], CLIPMILL_HOME: home, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code]) => ({ code: code as number, stdout, stderr }));
  return { child, ended, stderr: () => stderr };
}

describe.skipIf(!ffmpeg)("commands on one home (need ffmpeg)", () => {
  test("two runs at once both get their result", async () => {
    const runs = [1, 2].map(() => clipmill(["run", CLIP, "--json"]).ended);
    for (const { code, stdout, stderr } of await Promise.all(runs)) {
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      expect(JSON.parse(stdout)).toHaveProperty("transcript");
    }
  }, 180_000);

  test("migrate beside a running up brings its database up to date", async () => {
    const up = clipmill(["up"], { PORT: String(await findFreePort()) });
    await vi.waitFor(() => expect(up.stderr()).toContain("clipmill: up;"), 60_000);
    expect(await clipmill(["migrate"]).ended).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /the database of the clipmill that is running .* is up to date/,
      ) as unknown,
    });
    const second = await clipmill(["up"]).ended;
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(
      /already running at http:\S+ \(pid \d+, data in .*\): stop that one first/,
    );
    up.child.kill("SIGTERM");
    expect(await up.ended).toMatchObject({ code: 0 });
    expect(await clipmill(["migrate"]).ended).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("the embedded database is up to date") as unknown,
    });
  }, 180_000);
});
