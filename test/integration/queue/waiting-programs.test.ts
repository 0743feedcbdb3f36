import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "@clipmill/config";
import {
  createDatabase,
  createListener,
  createRequestReader,
  createWorkStore,
  type Database,
} from "@clipmill/db";
import { pipelines } from "@clipmill/pipeline";
import { toRecipes } from "@clipmill/providers";
import { createSandbox, type Sandbox, samplePosts } from "@clipmill/sandbox";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hasFfmpeg } from "../../support/posts/media-fixtures.ts";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { toSubmission } from "../../support/work/toy-pipeline.ts";
import {
  startWorkerProgram,
  toWorkerEnv,
  type WorkerProgram,
} from "../../support/work/worker-program.ts";

const SPOKEN = samplePosts().find((post) => post.kind === "speech")?.id ?? "";
/** Processes start slowly on a busy machine. */
const WAIT = { timeout: 40_000, interval: 100 };

let testDatabase: TestDatabase;
let database: Database;
let sandbox: Sandbox;
let home: string;
const programs: WorkerProgram[] = [];

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: "test", onError() {} });
  sandbox = await createSandbox();
  home = await mkdtemp(join(tmpdir(), "clipmill-waiting-"));
});

afterEach(async () => {
  for (const { child, ended } of programs.splice(0)) {
    child.kill("SIGKILL");
    await ended;
  }
  await sandbox.close();
  await database.close();
  await testDatabase.drop();
  await rm(home, { recursive: true, force: true });
});

const toEnv = (env: NodeJS.ProcessEnv = {}) =>
  toWorkerEnv({ databaseUrl: testDatabase.url, home, sandboxUrl: sandbox.url }, env);

async function start(env: NodeJS.ProcessEnv): Promise<void> {
  programs.push(await startWorkerProgram(toEnv(env)));
}

async function accept(asr?: readonly string[]): Promise<string> {
  const recipes = toRecipes(loadConfig(toEnv()));
  const plan = { pipelines, leaseMs: 30_000, queuedForMs: 60_000 };
  const [accepted] = await createWorkStore(database, plan).accept([
    toSubmission(SPOKEN, {
      lane: "interactive",
      recipes: asr === undefined ? recipes : { ...recipes, asr: [...asr] },
    }),
  ]);
  return accepted?.requestId ?? "";
}

async function read(id: string) {
  const listener = createListener({ url: testDatabase.url, onError() {} });
  const view = await createRequestReader(database, listener).findRequest(id);
  await listener.close();
  return view;
}

describe.skipIf(!hasFfmpeg)("a post on worker programs (needs ffmpeg)", () => {
  test("whose queue no worker drains says so, and goes on when one does", async () => {
    await start({ CLIPMILL_QUEUES: "io,cpu,llm" });
    const id = await accept();
    await vi.waitFor(async () => {
      expect((await read(id))?.waitingFor).toMatchObject({
        stage: "transcribe",
        reason: "no_worker",
        message: "no running worker drains the queue gpu",
      });
    }, WAIT);
    await start({ CLIPMILL_QUEUES: "gpu" });
    await vi.waitFor(async () => expect((await read(id))?.state).toBe("done"), WAIT);
  });

  test("whose engine no worker has says so, and fails with that reason after its lane's limit", async () => {
    await start({ MAX_WAIT_SECONDS_INTERACTIVE: "1" });
    const id = await accept(["openai:somewhere-else"]);
    await vi.waitFor(async () => {
      const view = await read(id);
      expect(view?.waitingFor?.reason ?? view?.failure?.code).toBe("engine_unavailable");
    }, WAIT);
    await vi.waitFor(async () => {
      expect(await read(id)).toMatchObject({
        state: "failed",
        failure: { code: "engine_unavailable", stage: "transcribe" },
      });
    }, WAIT);
  });
});
