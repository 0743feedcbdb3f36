import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createWorkStore, grantCredits } from "@clipmill/db";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { chaosPipelines } from "../../chaos/pipelines/index.ts";
import { toPostId } from "../../chaos/pipelines/post.ts";
import {
  type ChaosProcesses,
  createChaosProcesses,
  readyUrl,
} from "../../support/work/chaos-processes.ts";
import { toSubmission } from "../../support/work/toy-pipeline.ts";

const QUEUES = { fetch: "io", hear: "gpu", answer: "llm" } as const;
type StageName = keyof typeof QUEUES;
const STAGES = Object.keys(QUEUES) as StageName[];
const POINTS_OF_EACH_STAGE = ["after-claim", "before-settle", "in-settle", "after-settle"] as const;

const POST_ID = toPostId("good", 1);
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
let processes: ChaosProcesses;

afterEach(() => processes.close());

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
  await createWorkStore(processes.database, plan).accept([toSubmission(postId)]);
}

/** The one request ends, with one row per stage, within leases and never from the start. */
async function expectRecovery(): Promise<void> {
  await vi.waitFor(async () => {
    const { rows } = await processes.database.pool.query("select state from request");
    expect(rows).toEqual([{ state: "done" }]);
  }, WAIT);
  const { rows: jobs } = await processes.database.pool.query<{ stage: string; calls: number }>(
    `select stage, 1 + attempts + crashes as calls from stage_job where state = 'done' order by id`,
  );
  expect(jobs.map(({ stage }) => stage)).toEqual([...STAGES]);
  for (const { stage, calls } of jobs) {
    expect(
      processes.upstream.calls.get(`${stage}/${POST_ID}`),
      `calls of ${stage}`,
    ).toBeLessThanOrEqual(calls);
  }
  for (const entry of await readdir(join(processes.storageDirectory, "media"), {
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
    beforeEach(async () => {
      processes = await createChaosProcesses(backend);
      // The chaos API charges a credit for each post.
      await grantCredits(processes.database.pool, "local", 100);
    });

    test.each(["in-accept", "after-accept"])(
      "an API dies %s, and the caller's second try is the one request",
      async (failAt) => {
        const doomed = processes.start("api.ts", { failAt });
        await expect(submit(await readyUrl(doomed))).rejects.toThrow("fetch failed");
        const { rows } = await processes.database.pool.query("select 1 from request");
        expect(rows).toHaveLength(failAt === "in-accept" ? 0 : 1);
        expect(await submit(await readyUrl(processes.start("api.ts", {})))).toBe(202);
        processes.start("worker.ts", { roles: ["dispatch", "reconcile", "work"] });
        await expectRecovery();
      },
    );

    test.each(STAGES.flatMap((stage) => POINTS_OF_EACH_STAGE.map((point) => ({ point, stage }))))(
      "a worker dies $point of $stage, and another goes on from there",
      async ({ point, stage }) => {
        await accept();
        // The doomed one drains this stage alone, so that it dies at this stage.
        const doomed = processes.start("worker.ts", {
          roles: ["work"],
          queues: [QUEUES[stage]],
          failAt: point,
        });
        const others = STAGES.filter((name) => name !== stage).map((name) => QUEUES[name]);
        processes.start("worker.ts", { roles: ["dispatch", "reconcile", "work"], queues: others });
        await processes.outlive(doomed);
        processes.start("worker.ts", { roles: ["work"], queues: [QUEUES[stage]] });
        await expectRecovery();
      },
    );

    test.each(["before-rename", "after-rename"])(
      "a worker dies %s of a file, and the file is whole in the end",
      async (failAt) => {
        await accept();
        const doomed = processes.start("worker.ts", { roles: ["work"], failAt });
        processes.start("worker.ts", { roles: ["dispatch", "reconcile"] });
        await processes.outlive(doomed);
        processes.start("worker.ts", { roles: ["work"] });
        await expectRecovery();
      },
    );

    test.each(["after-dispatch:io", "after-push:io"])(
      "a dispatcher dies %s, and its hints are found or given out again",
      async (failAt) => {
        await accept();
        await processes.outlive(processes.start("worker.ts", { roles: ["dispatch"], failAt }));
        processes.start("worker.ts", { roles: ["dispatch", "reconcile", "work"] });
        await expectRecovery();
      },
    );

    test("a worker dies with a step that it started eagerly, and another goes on from there", async () => {
      // A worker that knows no stage yet carries nothing on.
      const known = toPostId("good", 2);
      await accept(known);
      const doomed = processes.start("worker.ts", {
        roles: ["work"],
        failAt: "after-eager-start:hear",
      });
      processes.start("worker.ts", { roles: ["dispatch", "reconcile"] });
      const isDone = "select state from request where state = 'done'";
      await vi.waitFor(
        async () => expect((await processes.database.pool.query(isDone)).rows).toHaveLength(1),
        WAIT,
      );
      await accept();
      await processes.outlive(doomed);
      processes.start("worker.ts", { roles: ["work"] });
      await vi.waitFor(
        async () => expect((await processes.database.pool.query(isDone)).rows).toHaveLength(2),
        WAIT,
      );
      const { rows } = await processes.database.pool.query(
        "select stage, epoch, crashes from stage_job where key = $1 order by id",
        [POST_ID],
      );
      expect(rows).toEqual([
        { stage: "fetch", epoch: 1, crashes: 0 },
        { stage: "hear", epoch: 2, crashes: 1 },
        { stage: "answer", epoch: 1, crashes: 0 },
      ]);
      expect(processes.upstream.calls.get(`fetch/${POST_ID}`)).toBe(1);
      expect(processes.upstream.calls.get(`hear/${POST_ID}`)).toBe(1);
    });

    test.each(["after-push:gpu", "after-push:llm"])(
      "a worker dies %s of the next step's hint, and the step runs",
      async (failAt) => {
        await accept();
        const doomed = processes.start("worker.ts", { roles: ["work"], failAt });
        processes.start("worker.ts", { roles: ["dispatch", "reconcile"] });
        await processes.outlive(doomed);
        processes.start("worker.ts", { roles: ["work"] });
        await expectRecovery();
      },
    );
  });
}
