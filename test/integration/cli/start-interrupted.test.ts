import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MAIN } from "../../../apps/cli/src/paths.ts";
import { lockHome } from "../../../apps/cli/src/up/run-state.ts";
import { findFreePort } from "../../support/servers/free-port.ts";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "clipmill-interrupted-"));
});

afterEach(() => rm(home, { recursive: true, force: true }));

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s while it is starting stops what runs by then, and the home is free again",
  async (signal) => {
    const port = String(await findFreePort());
    const child = spawn(process.execPath, [MAIN, "up", "--port", port], {
      env: { PATH: process.env["PATH"], CLIPMILL_HOME: home },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let told = "";
    child.stderr.on("data", (chunk: Buffer) => {
      if (!told.includes("starting") && chunk.includes("starting")) child.kill(signal);
      told += chunk.toString();
    });
    const [code] = (await once(child, "close")) as [number];
    expect(told).toContain("interrupted while it was starting");
    expect(told).not.toContain("up; Ctrl-C stops it");
    expect(code).toBe(130);
    expect(existsSync(join(home, "postgres/data/postmaster.pid"))).toBe(false);
    lockHome(home).release();
  },
  // A first start makes a cluster, which is ended only once it stands.
  120_000,
);
