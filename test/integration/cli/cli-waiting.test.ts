import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase, createWorkerRegistry, type Database } from "@clipmill/db";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { MAIN } from "../../../apps/cli/src/paths.ts";
import { lockHome } from "../../../apps/cli/src/up/run-state.ts";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";

let testDatabase: TestDatabase;
let database: Database;
let home: string;
let clip: string;
/** A recogniser that accepts no key. */
let recogniser: Server;
const children: ChildProcess[] = [];

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: "test", onError() {} });
  home = await mkdtemp(join(tmpdir(), "clipmill-cli-waiting-"));
  clip = join(home, "tone.mp4");
  recogniser = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(401).end("{}"));
  });
  recogniser.listen(0, "127.0.0.1");
  await once(recogniser, "listening");
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
  recogniser.close();
  await database.close();
  await testDatabase.drop();
  await rm(home, { recursive: true, force: true });
});

function drawTone(): void {
  const source = ["-f", "lavfi", "-i", "sine=d=2", "-f", "lavfi", "-i", "color=s=64x64:d=2"];
  execFileSync("ffmpeg", ["-v", "error", ...source, "-shortest", clip]);
}

async function run(env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [MAIN, "run", clip, "--json"], {
    env: {
      PATH: process.env["PATH"],
      CLIPMILL_HOME: join(home, "home"),
      DATABASE_URL: testDatabase.url,
      LLM_ENGINES: "extractive",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout, stderr };
}

const states = async () =>
  (await database.pool.query<{ state: string }>("select state from request")).rows;

describe.skipIf(!inject("tools").ffmpeg)("clipmill run (needs ffmpeg)", () => {
  beforeEach(drawTone);

  test("with a key that is refused says so and ends, and leaves nothing behind", async () => {
    const { port } = recogniser.address() as AddressInfo;
    const { code, stdout, stderr } = await run({
      ASR_BASE_URL: `http://127.0.0.1:${port}`,
      ASR_API_KEY: "wrong-key",
      ASR_ENGINES: "openai",
    });
    expect(code).toBe(1);
    expect(stderr).toContain("transcribe waits:");
    expect(stderr).toContain("Give the workers a key that the provider accepts");
    expect(stderr + stdout).not.toContain("wrong-key");
    expect(JSON.parse(stdout)).toMatchObject({
      waiting_for: { stage: "transcribe", reason: "provider_key", needs_person: true },
    });
    expect(await states()).toEqual([{ state: "cancelled" }]);
    // It starts three processes, on a machine that may be busy.
  }, 120_000);

  test("with a key that the running clipmill lacks is refused at once, by the key's name", async () => {
    const lock = lockHome(join(home, "home"));
    lock.publish({
      apiUrl: "http://127.0.0.1:1",
      databaseUrl: testDatabase.url,
      sandboxUrl: null,
      startedAt: new Date().toISOString(),
    });
    const worker = { id: "w", queues: ["io"], engines: ["file", "extractive"], slots: {} } as const;
    await createWorkerRegistry(database).report(worker);
    const { code, stderr } = await run({ ANTHROPIC_API_KEY: "sk-here-only", LLM_ENGINES: "" });
    lock.release();
    expect(code).toBe(1);
    expect(stderr).toContain("ANTHROPIC_API_KEY is set here, but the clipmill that is running");
    expect(stderr).not.toContain("sk-here-only");
    expect(await states()).toEqual([]);
  });
});
