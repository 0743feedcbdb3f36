import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "@clipmill/config";
import { createDatabase, createWorkStore, type Database } from "@clipmill/db";
import { pipelines } from "@clipmill/pipeline";
import { toRecipes } from "@clipmill/providers";
import {
  createSandbox,
  type PlantedPost,
  type Sandbox,
  samplePosts,
  toSamplePath,
} from "@clipmill/sandbox";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { toMark } from "../../support/mixed/case-media.ts";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { hasFfmpeg } from "../../support/posts/media-fixtures.ts";
import { toSubmission } from "../../support/work/toy-pipeline.ts";
import {
  startWorkerProgram,
  toWorkerEnv,
  type WorkerProgram,
} from "../../support/work/worker-program.ts";

const toPackIds = (kind: string) =>
  samplePosts()
    .filter((post) => post.kind === kind)
    .map(({ id }) => id);
const [SPOKEN = "", SPOKEN_TOO = ""] = toPackIds("speech");
const [MUSIC = ""] = toPackIds("music");

const CLIP = readFileSync(toSamplePath({ name: `${MUSIC}.mp4` }));
const planted = Array.from({ length: 20 }, (_, number): PlantedPost => {
  const id = String(7_610_000_000_000_000_000n + BigInt(number));
  const read = () => Buffer.concat([CLIP, toMark(id)]);
  const file = { name: `${id}.mp4`, role: "video", contentType: "video/mp4", read } as const;
  return { id, kind: "music", files: [file], faults: [] };
});

/** A fault of ours that no stage catches, at the time that the test chooses. */
const CRASHES_ON_SIGWINCH = `--import=data:text/javascript,${encodeURIComponent(
  'process.on("SIGWINCH", () => setTimeout(() => { throw new Error("crash"); }))',
)}`;

/** Processes start slowly on a busy machine. */
const WAIT = { timeout: 40_000, interval: 50 };

let testDatabase: TestDatabase;
let database: Database;
let sandbox: Sandbox;
let home: string;
const programs: WorkerProgram[] = [];

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: "test", onError() {} });
  sandbox = await createSandbox({ posts: planted });
  home = await mkdtemp(join(tmpdir(), "clipmill-worker-program-"));
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

async function start(env: NodeJS.ProcessEnv = {}): Promise<WorkerProgram> {
  const program = await startWorkerProgram(toEnv(env));
  programs.push(program);
  return program;
}

async function accept(postIds: readonly string[], output: "transcript" | "summary"): Promise<void> {
  const recipes = toRecipes(loadConfig(toEnv()));
  const plan = { pipelines, leaseMs: 30_000, queuedForMs: 60_000 };
  await createWorkStore(database, plan).accept(
    postIds.map((id) => toSubmission(id, { outputs: [output], recipes })),
  );
}

interface JobRow {
  id: number;
  stage: string;
  key: string;
  state: string;
  epoch: number;
  attempts: number;
  crashes: number;
  finishedAt: string | null;
}

async function readJobs(): Promise<JobRow[]> {
  const { rows } = await database.pool.query<JobRow>(
    `select id, stage, key, state, epoch, attempts, crashes, finished_at::text as "finishedAt"
     from stage_job order by id`,
  );
  return rows;
}

async function expectAllDone(): Promise<void> {
  await vi.waitFor(async () => {
    const { rows } = await database.pool.query("select distinct state from request");
    expect(rows).toEqual([{ state: "done" }]);
  }, WAIT);
}

describe.skipIf(!hasFfmpeg)("the worker program (needs ffmpeg)", { timeout: 120_000 }, () => {
  test("under load ends by itself at SIGTERM, and another goes on where it stood", async () => {
    const endless = planted.slice(0, 3).map(({ id }) => id);
    sandbox.addFaults([
      // Longer than a stop may take; the others end in that time.
      ...endless.map((postId) => ({
        kind: "slow-drip" as const,
        match: { postId, route: "cdn" as const },
        intervalMs: 1_500,
      })),
      { kind: "slow-drip", match: { route: "cdn" }, intervalMs: 30 },
      { kind: "slow-drip", match: { route: "transcriptions" }, intervalMs: 30 },
      { kind: "slow-drip", match: { route: "messages" }, intervalMs: 100 },
    ]);
    const { child, ended } = await start({ IO_CONCURRENCY: "6", GPU_CONCURRENCY: "1" });
    await accept(endless, "transcript");
    await accept([SPOKEN, SPOKEN_TOO], "summary");
    await accept(
      planted.slice(endless.length).map(({ id }) => id),
      "transcript",
    );
    await vi.waitFor(async () => {
      const jobs = await readJobs();
      const running = jobs.filter(({ state }) => state === "running").map(({ stage }) => stage);
      expect(running).toEqual(expect.arrayContaining(["download", "transcribe", "summarize"]));
      expect(jobs.map(({ state }) => state)).toEqual(expect.arrayContaining(["queued", "done"]));
    }, WAIT);

    child.kill("SIGTERM");
    const late = new Promise((resolve) => {
      setTimeout(resolve, 25_000, "still running after 25 s").unref();
    });
    expect(await Promise.race([ended, late])).toBe(0);

    const stopped = await readJobs();
    for (const job of stopped) {
      expect(job).toMatchObject({ attempts: 0, crashes: 0 });
      expect(job.state).toMatch(/^(ready|queued|done)$/);
    }
    const givenBack = stopped.filter(({ state, epoch }) => state === "ready" && epoch > 0);
    expect(givenBack.map(({ key }) => key)).toEqual(
      expect.arrayContaining(endless.map((id) => `${id}@sandbox`)),
    );
    const done = stopped.filter(({ state }) => state === "done");

    sandbox.clearFaults();
    await start();
    await expectAllDone();
    const finished = await readJobs();
    const ofFirst = new Set(done.map(({ id }) => id));
    expect(finished.filter(({ id }) => ofFirst.has(id))).toEqual(done);
    // That the stop itself cost no attempt is seen above, in what it left.
    for (const job of finished) {
      expect(job).toMatchObject({ state: "done", crashes: 0 });
      // One for a connection that broke meanwhile.
      expect(job.attempts).toBeLessThanOrEqual(1);
    }
  });

  test("that crashes gives nothing back: what it ran may be the cause, and says so with counts", async () => {
    const env = { LEASE_MS: "3000", LOG_LEVEL: "info", NODE_OPTIONS: CRASHES_ON_SIGWINCH };
    const { child, ended, readLog } = await start(env);
    sandbox.addFaults([
      { kind: "slow-drip", match: { route: "transcriptions" }, intervalMs: 5_000 },
    ]);
    await accept([SPOKEN], "transcript");
    const find = async () => (await readJobs()).find(({ stage }) => stage === "transcribe");
    await vi.waitFor(async () => expect(await find()).toMatchObject({ state: "running" }), WAIT);
    child.kill("SIGWINCH");
    expect(await ended).toBe(1);
    expect(await find()).toMatchObject({ state: "running", crashes: 0 });
    const crashed = readLog().find(({ msg }) => msg === "worker crashed");
    expect(crashed).toMatchObject({ running: 1, givenBack: 0, err: { message: "crash" } });
    expect(crashed?.["ended"]).toBeGreaterThan(0);

    sandbox.clearFaults();
    await start({ LEASE_MS: "3000" });
    await expectAllDone();
    expect(await find()).toMatchObject({ crashes: 1, attempts: 0 });
  });

  test("that is stopped says what it did and what it gave back, and each line of a job whose it is", async () => {
    const { child, ended, readLog } = await start({ LOG_LEVEL: "info" });
    sandbox.addFaults([
      { kind: "slow-drip", match: { route: "transcriptions" }, intervalMs: 60_000 },
    ]);
    await accept([SPOKEN], "transcript");
    await vi.waitFor(async () => {
      const running = (await readJobs()).filter(({ state }) => state === "running");
      expect(running).toMatchObject([{ stage: "transcribe" }]);
    }, WAIT);
    child.kill("SIGTERM");
    await vi.waitFor(() => {
      expect(readLog().map(({ msg }) => msg)).toContain("worker stopping");
    }, WAIT);
    // As npm and a terminal do between them.
    child.kill("SIGTERM");
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    const lines = readLog();
    const line = (msg: string) => lines.find((each) => each.msg === msg);
    expect(line("worker stopping")).toMatchObject({ reason: "SIGTERM", running: 1 });
    expect(line("worker stopped")).toMatchObject({ running: 0, givenBack: 1, lost: 0 });
    const { rows } = await database.pool.query<{ id: string }>("select id from request");
    const closing = lines.filter(({ msg }) => msg === "job ended");
    expect(closing.length).toBeGreaterThan(1);
    for (const each of closing)
      expect(each).toMatchObject({ requestIds: [rows[0]?.id], postId: SPOKEN });
    expect(new Set(closing.map(({ jobId }) => jobId)).size).toBe(closing.length);
  });

  test("killed in the middle of jobs, they run elsewhere within a lease and 5 s", async () => {
    const leaseMs = 3_000;
    // Three jobs of one process run alone, one after the other.
    const turnsMs = 4_000;
    const env = { LEASE_MS: String(leaseMs) };
    const doomed = await start(env);
    const hang = async (postId: string, route: "cdn" | "transcriptions" | "messages") => {
      sandbox.addFaults([{ kind: "slow-drip", match: { route }, intervalMs: 5_000 }]);
      await accept([postId], route === "messages" ? "summary" : "transcript");
      await vi.waitFor(
        () => expect(sandbox.calls()[route].faults["slow-drip"]).toBeGreaterThan(0),
        WAIT,
      );
    };
    await hang(SPOKEN, "messages");
    await hang(SPOKEN_TOO, "transcriptions");
    await hang(MUSIC, "cdn");
    await start(env);
    sandbox.clearFaults();
    const running = (await readJobs()).filter(({ state }) => state === "running");
    expect(running.map(({ stage }) => stage).sort()).toEqual([
      "download",
      "summarize",
      "transcribe",
    ]);
    const downloaded = sandbox.calls().cdn.posts[SPOKEN_TOO];

    const { rows: moments } = await database.pool.query<{ now: string }>(
      "select clock_timestamp()::text as now",
    );
    doomed.child.kill("SIGKILL");
    expect(await doomed.ended).toBe("SIGKILL");
    await expectAllDone();

    const { rows } = await database.pool.query<{ crashes: number; afterMs: number }>(
      `select crashes, attempts, (extract(epoch from started_at - $2) * 1000)::float8 as "afterMs"
       from stage_job where id = any ($1)`,
      [running.map(({ id }) => id), moments[0]?.now],
    );
    expect(rows).toHaveLength(3);
    for (const { afterMs, ...job } of rows) {
      expect(job).toEqual({ crashes: 1, attempts: 0 });
      expect(afterMs).toBeGreaterThan(0);
      expect(afterMs).toBeLessThanOrEqual(leaseMs + 5_000 + turnsMs);
    }
    expect(sandbox.calls().cdn.posts[SPOKEN_TOO]).toBe(downloaded);
    expect(downloaded).toBeGreaterThan(0);
    await expectWholeFiles();
  });
});

/** Each stored file is named after its content; what was cut off lies apart from them. */
async function expectWholeFiles(): Promise<void> {
  const entries = await readdir(join(home, "media/media"), {
    recursive: true,
    withFileTypes: true,
  });
  const files = entries.filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(0);
  for (const { parentPath, name } of files) {
    const content = await readFile(join(parentPath, name));
    expect(createHash("sha256").update(content).digest("hex")).toBe(name);
  }
}
