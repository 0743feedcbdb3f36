import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkDirectories } from "@clipmill/config";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAIN, ROOT, WORKER_MAIN } from "../../../apps/cli/src/paths.ts";
import { fillDisk, mountSmallDisk, unmountSmallDisk } from "../../support/servers/small-disk.ts";

const CLIP = join(ROOT, "packages/sandbox/pack/media/7000000000000000002.mp4");
const NOBODY = 65_534;

function canBecomeNobody(): boolean {
  const run = { uid: NOBODY, stdio: "ignore" } as const;
  return process.getuid?.() === 0 && spawnSync("test", ["-r", MAIN], run).status === 0;
}

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-directories-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function start(args: string[], env: NodeJS.ProcessEnv, user: { uid?: number } = {}) {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...user,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

describe("a directory in which clipmill cannot work", () => {
  test.each([
    ["run", [MAIN, "run", CLIP]],
    ["up", [MAIN, "up"]],
    ["the worker", [WORKER_MAIN]],
  ])("ends %s at once, with path, variable and what to do", async (_name, args) => {
    const missing = join(directory, "missing");
    const env = {
      CLIPMILL_HOME: join(directory, "home"),
      DATABASE_URL: "postgres://127.0.0.1:1/x",
    };
    const ofTmp = await start(args, { ...env, TMPDIR: missing });
    expect(ofTmp.output).toContain(`TMPDIR: ${missing} does not exist. Fix it: set TMPDIR`);
    expect(ofTmp.output).not.toMatch(/^ {4}at /m);
    expect(ofTmp.code).toBe(2);
    const file = join(directory, "file");
    await writeFile(file, "");
    const ofHome = await start(args, { ...env, CLIPMILL_HOME: join(file, "home") });
    expect(ofHome.output).toContain(`CLIPMILL_HOME: ${join(file, "home")} `);
    expect(ofHome.output).toContain("Fix it: set CLIPMILL_HOME to a directory of your own");
    expect(ofHome.code).toBe(2);
  });

  test.skipIf(!canBecomeNobody())(
    "is another user's (needs root, and a clone that others may read)",
    async () => {
      await chmod(directory, 0o755);
      const home = join(directory, "home");
      await mkdir(home, { mode: 0o700 });
      const { code, output } = await start(
        [MAIN, "run", CLIP],
        { CLIPMILL_HOME: home },
        { uid: NOBODY },
      );
      expect(output).toBe(
        `clipmill: CLIPMILL_HOME: ${home} is not this user's to write to. Fix it: set CLIPMILL_HOME to a directory of your own, or start as the user that this one belongs to\n`,
      );
      expect(code).toBe(2);
    },
  );

  test("is seen by doctor first, which goes on", async () => {
    const env = { CLIPMILL_HOME: directory, TMPDIR: join(directory, "missing") };
    const { code, output } = await start([MAIN, "doctor"], env);
    expect(output).toMatch(/^✗ TMPDIR .*does not exist$/m);
    expect(output).toMatch(/^\S API port /m);
    expect(code).toBe(1);
  });
});

test("where all can be written to nothing is wrong, and nothing stays behind", async () => {
  await mkdir(join(directory, "media"));
  expect(await checkDirectories({ CLIPMILL_HOME: directory })).toEqual([]);
  expect(await readdir(directory)).toEqual(["media"]);
  expect(await readdir(join(directory, "media"))).toEqual([]);
});

test("a full disk is told as such, and may pass", async ({ skip }) => {
  const disk = join(directory, "disk");
  await mkdir(disk);
  if (!mountSmallDisk(disk, 2)) return skip("this user may not mount");
  try {
    fillDisk(disk);
    expect(await checkDirectories({ CLIPMILL_HOME: disk })).toEqual([
      expect.objectContaining({
        variable: "CLIPMILL_HOME",
        problem: "has no space left",
        mayPass: true,
      }),
    ]);
    const { code, output } = await start([MAIN, "up"], { CLIPMILL_HOME: disk });
    expect(output).toContain("has no space left. Fix it: free some");
    expect(code).toBe(1);
  } finally {
    unmountSmallDisk(disk);
  }
});
