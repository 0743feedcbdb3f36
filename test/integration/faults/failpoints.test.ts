import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDatabase, createWorkStore, type Database, grantCredits } from "@clipmill/db";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { createRandom } from "../../chaos/harness/random.ts";
import { startUpstream, type Upstream } from "../../chaos/harness/upstream.ts";
import { chaosPipelines, toPostId } from "../../chaos/pipeline.ts";
import type { ChaosArguments, FromProcess } from "../../chaos/processes/arguments.ts";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { toSubmission } from "../../support/work/toy-pipeline.ts";

const QUEUES = { fetch: "io", hear: "gpu", answer: "llm" } as const;
type StageName = keyof typeof QUEUES;
const STAGES = Object.keys(QUEUES) as StageName[];
const POINTS_OF_EACH_STAGE = ["after-claim", "before-settle", "in-settle", "after-settle"] as const;

const POST_ID = toPostId("good", 1);
/** A process starts sixty times here. */
const CODE_CACHE = join(tmpdir(), "clipmill-chaos-cache");
/** Processes start slowly on a busy machine. */
const WAIT = { timeout: 25_000, interval: 50 };

const redisUrl = inject("redisUrl");
const BACKENDS = [
  { title: "with the queue on Postgres", backend: "postgres", isMissing: false },
  {
    title: "with the queue on Redis (needs Redis)",
    backend: "redis",
    isMissing: redisUrl === null,
  },
] as const;
let queueBackend: ChaosArguments["queue"]["backend"];
let testDatabase: TestDatabase;
let database: Database;
let upstream: Upstream;
let storageDirectory: string;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: "test", onError() {} });
  // The chaos API charges a credit for each post.
  await grantCredits(database.pool, "local", 100);
  upstream = await startUpstream(createRandom(1), { failureShare: 0 });
  storageDirectory = await mkdtemp(join(tmpdir(), "clipmill-failpoints-"));
});

afterEach(async () => {
  for (const child of children) {
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
  await upstream.close();
  await database.close();
  await testDatabase.drop();
  await rm(storageDirectory, { recursive: true, force: true });
});

interface Start {
  roles?: ChaosArguments["roles"];
  queues?: ChaosArguments["queues"];
  failAt?: string;
}

/** A process of the chaos fleet, killed by itself at `failAt`. */
function start(
  file: "api.ts" | "worker.ts",
  { roles = [], queues = ["io", "gpu", "llm"], failAt = "" }: Start,
): ChildProcess {
  const args: ChaosArguments = {
    databaseUrl: testDatabase.url,
    queue: {
      backend: queueBackend,
      url: queueBackend === "redis" ? (redisUrl ?? "") : testDatabase.url,
    },
    prefix: `failpoints-${new URL(testDatabase.url).pathname.slice(1)}`,
    roles,
    queues,
    upstreamUrl: upstream.url,
    storageDirectory,
    control: null,
  };
  const path = fileURLToPath(new URL(`../../chaos/processes/${file}`, import.meta.url));
  const child = fork(path, [JSON.stringify(args)], {
    env: {
      ...process.env,
      NODE_ENV: "test",
      NODE_COMPILE_CACHE: CODE_CACHE,
      FAIL_AT: failAt,
      LOG_LEVEL: "silent",
    },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

async function readyUrl(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, "message")) as [FromProcess];
  return message.type === "ready" ? (message.url ?? "") : "";
}

async function submit(apiUrl: string): Promise<number> {
  const response = await fetch(`${apiUrl}/v1/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": "once" },
    body: JSON.stringify({ url: POST_ID }),
  });
  await response.body?.cancel();
  return response.status;
}

/** Accepts the post without a process of its own. */
async function accept(postId = POST_ID): Promise<void> {
  const plan = { pipelines: chaosPipelines, leaseMs: 1_000, queuedForMs: 1_000 };
  await createWorkStore(database, plan).accept([toSubmission(postId)]);
}

/** Waits for the process's end by its own hand, and lets the time pass that it held its work for. */
async function outlive(child: ChildProcess): Promise<void> {
  const [, signal] = (await once(child, "exit")) as [number | null, string | null];
  expect(signal, "the failpoint was reached").toBe("SIGKILL");
  await database.pool.query("update stage_job set held_until = now() where held_until is not null");
}

/** The one request ends, with one row per stage, within leases and never from the start. */
async function expectRecovery(): Promise<void> {
  await vi.waitFor(async () => {
    const { rows } = await database.pool.query("select state from request");
    expect(rows).toEqual([{ state: "done" }]);
  }, WAIT);
  const { rows: jobs } = await database.pool.query<{ stage: string; calls: number }>(
    `select stage, 1 + attempts + crashes as calls from stage_job where state = 'done' order by id`,
  );
  expect(jobs.map(({ stage }) => stage)).toEqual([...STAGES]);
  for (const { stage, calls } of jobs) {
    expect(upstream.calls.get(`${stage}/${POST_ID}`), `calls of ${stage}`).toBeLessThanOrEqual(
      calls,
    );
  }
  for (const entry of await readdir(join(storageDirectory, "media"), {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!entry.isFile()) continue;
    const content = await readFile(join(entry.parentPath, entry.name));
    expect(createHash("sha256").update(content).digest("hex")).toBe(entry.name);
  }
}

for (const { title, backend, isMissing } of BACKENDS) {
  describe.skipIf(isMissing)(`killed at a failpoint ${title}`, { timeout: 90_000 }, () => {
    beforeEach(() => {
      queueBackend = backend;
    });

    test.each(["in-accept", "after-accept"])(
      "an API dies %s, and the caller's second try is the one request",
      async (failAt) => {
        const doomed = start("api.ts", { failAt });
        await expect(submit(await readyUrl(doomed))).rejects.toThrow("fetch failed");
        const { rows } = await database.pool.query("select 1 from request");
        expect(rows).toHaveLength(failAt === "in-accept" ? 0 : 1);
        expect(await submit(await readyUrl(start("api.ts", {})))).toBe(202);
        start("worker.ts", { roles: ["dispatch", "reconcile", "work"] });
        await expectRecovery();
      },
    );

    test.each(STAGES.flatMap((stage) => POINTS_OF_EACH_STAGE.map((point) => ({ point, stage }))))(
      "a worker dies $point of $stage, and another goes on from there",
      async ({ point, stage }) => {
        await accept();
        // The doomed one drains this stage alone, so that it dies at this stage.
        const doomed = start("worker.ts", {
          roles: ["work"],
          queues: [QUEUES[stage]],
          failAt: point,
        });
        const others = STAGES.filter((name) => name !== stage).map((name) => QUEUES[name]);
        start("worker.ts", { roles: ["dispatch", "reconcile", "work"], queues: others });
        await outlive(doomed);
        start("worker.ts", { roles: ["work"], queues: [QUEUES[stage]] });
        await expectRecovery();
      },
    );

    test.each(["before-rename", "after-rename"])(
      "a worker dies %s of a file, and the file is whole in the end",
      async (failAt) => {
        await accept();
        const doomed = start("worker.ts", { roles: ["work"], failAt });
        start("worker.ts", { roles: ["dispatch", "reconcile"] });
        await outlive(doomed);
        start("worker.ts", { roles: ["work"] });
        await expectRecovery();
      },
    );

    test.each(["after-dispatch:io", "after-push:io"])(
      "a dispatcher dies %s, and its hints are found or given out again",
      async (failAt) => {
        await accept();
        await outlive(start("worker.ts", { roles: ["dispatch"], failAt }));
        start("worker.ts", { roles: ["dispatch", "reconcile", "work"] });
        await expectRecovery();
      },
    );

    test("a worker dies with a step that it started eagerly, and another goes on from there", async () => {
      // A worker that knows no stage yet carries nothing on.
      const known = toPostId("good", 2);
      await accept(known);
      const doomed = start("worker.ts", { roles: ["work"], failAt: "after-eager-start:hear" });
      start("worker.ts", { roles: ["dispatch", "reconcile"] });
      const isDone = "select state from request where state = 'done'";
      await vi.waitFor(
        async () => expect((await database.pool.query(isDone)).rows).toHaveLength(1),
        WAIT,
      );
      await accept();
      await outlive(doomed);
      start("worker.ts", { roles: ["work"] });
      await vi.waitFor(
        async () => expect((await database.pool.query(isDone)).rows).toHaveLength(2),
        WAIT,
      );
      const { rows } = await database.pool.query(
        "select stage, epoch, crashes from stage_job where key = $1 order by id",
        [POST_ID],
      );
      expect(rows).toEqual([
        { stage: "fetch", epoch: 1, crashes: 0 },
        { stage: "hear", epoch: 2, crashes: 1 },
        { stage: "answer", epoch: 1, crashes: 0 },
      ]);
      expect(upstream.calls.get(`fetch/${POST_ID}`)).toBe(1);
      expect(upstream.calls.get(`hear/${POST_ID}`)).toBe(1);
    });

    test.each(["after-push:gpu", "after-push:llm"])(
      "a worker dies %s of the next step's hint, and the step runs",
      async (failAt) => {
        await accept();
        const doomed = start("worker.ts", { roles: ["work"], failAt });
        start("worker.ts", { roles: ["dispatch", "reconcile"] });
        await outlive(doomed);
        start("worker.ts", { roles: ["work"] });
        await expectRecovery();
      },
    );
  });
}
