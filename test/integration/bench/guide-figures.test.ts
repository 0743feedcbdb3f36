import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { isMet, toVerdict } from "../../bench/guide/bars.ts";
import { readCpu, subtractCpu } from "../../bench/guide/cpu.ts";
import { createOneGpu } from "../../bench/guide/one-gpu.ts";
import { parsePostId, toPostId } from "../../bench/guide/post-ids.ts";

/** A program that uses so much CPU, says so, and ends or stays. */
const burn = (seconds: number, then: "ends" | "stays") =>
  `let used = 0; while (used < ${seconds}) { const { user, system } = process.cpuUsage(); used = (user + system) / 1e6; }
   console.log("burnt"); ${then === "stays" ? "setInterval(() => {}, 1000);" : ""}`;

/** One child that has ended, below a shell that has ended too, and one that lives. */
const PARENT = `
  const { execFileSync, spawn } = require("node:child_process");
  const node = process.execPath;
  execFileSync("/bin/sh", ["-c", '"$0" -e "$1"; true', node, ${JSON.stringify(burn(0.6, "ends"))}]);
  const child = spawn(node, ["-e", ${JSON.stringify(burn(0.4, "stays"))}], { stdio: ["ignore", "inherit", "ignore"] });
  process.on("SIGTERM", () => { child.kill("SIGKILL"); process.exit(); });`;

describe.skipIf(process.platform !== "linux")("CPU by process (Linux)", () => {
  test("is that of a process, and apart from it that of all below it, ended or alive", async () => {
    const parent = spawn(process.execPath, ["-e", PARENT], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void parent.kill("SIGTERM"));
    const before = readCpu({ parent: parent.pid ?? 0 });
    await once(parent.stdout, "data");
    const used = subtractCpu(readCpu({ parent: parent.pid ?? 0 }), before)["parent"];
    expect(used?.children).toBeGreaterThan(0.95);
    // What starting two Nodes and a shell may cost on a slow machine.
    expect(used?.children).toBeLessThan(2);
    expect(used?.own).toBeLessThan(0.6);
  });

  test("is absent for a process that is gone, and no difference is made of it", () => {
    const gone = readCpu({ gone: 2 ** 30 });
    expect(gone).toEqual({});
    expect(() => subtractCpu(gone, { gone: { own: 0, children: 0 } })).toThrow("gone ended");
  });
});

describe("one GPU", () => {
  function useGpu(requests: readonly { atMs: number; answeredAtMs: number }[], gpuMs: number) {
    let nowMs = 0;
    const gpu = createOneGpu(() => nowMs);
    const turns = requests.map(({ atMs }) => {
      nowMs = atMs;
      return gpu.begin(gpuMs);
    });
    for (const [n, turn] of turns.entries()) {
      nowMs = requests[n]?.answeredAtMs ?? 0;
      turn.end();
    }
    return gpu.read();
  }

  test("that always has the next clip is never idle", () => {
    const requests = [100, 200, 300].map((answeredAtMs) => ({ atMs: 0, answeredAtMs }));
    expect(useGpu(requests, 100)).toEqual({
      clips: 3,
      idleShare: 0,
      waitMsP50: 0,
      waitMsP95: 0,
    });
  });

  test("is idle from an answer until the next clip has come", () => {
    const requests = [
      { atMs: 1_000, answeredAtMs: 1_100 },
      { atMs: 1_150, answeredAtMs: 1_250 },
      { atMs: 1_300, answeredAtMs: 1_400 },
    ];
    const { idleShare, waitMsP50 } = useGpu(requests, 100);
    expect(idleShare).toBeCloseTo(1 - 300 / 400);
    expect(waitMsP50).toBe(50);
  });

  test("without a clip has no figures", () => {
    expect(useGpu([], 100)).toMatchObject({ clips: 0, idleShare: Number.NaN });
  });
});

test("a post id tells its kind and its number", () => {
  expect(parsePostId(toPostId("silent", 42))).toEqual({ kind: "silent", n: 42 });
  expect(parsePostId("7000000000000000001")).toBeUndefined();
});

test("a figure that could not be measured meets no bar, and misses none", () => {
  const toBar = (measured: number, bar: { atMost: number } | { atLeast: number }) =>
    ({ figure: "x", unit: "", digits: 0, measured, bar }) as const;
  expect(isMet(toBar(20, { atMost: 20 }))).toBe(true);
  expect(isMet(toBar(1, { atLeast: 2 }))).toBe(false);
  expect(isMet(toBar(Number.NaN, { atMost: 20 }))).toBe(false);
  expect(toVerdict(toBar(Number.NaN, { atMost: 20 }))).toBe("");
});
