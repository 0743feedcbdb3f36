import {
  createDatabase,
  createWorkStore,
  type Database,
  type WorkStoreOptions,
} from "@clipmill/db";
import type { CallLedger, ClaimedJob, Outcome, QueueName, WorkStore } from "@clipmill/domain";
import { createTestDatabase } from "../servers/database.ts";
import { toyPipelines } from "./toy-pipeline.ts";

export interface StageRow {
  id: number;
  stage: string;
  state: string;
  epoch: number;
  attempts: number;
  lane: number;
}

/** The work store on a database of its own, with the toy pipeline, driven by hand. */
export interface WorkFixture extends AsyncDisposable {
  database: Database;
  work: WorkStore & CallLedger;
  rows<T>(sql: string, values?: unknown[]): Promise<T[]>;
  stagesOf(postId: string): Promise<StageRow[]>;
  requestOf(id: string | undefined): Promise<Record<string, unknown> | undefined>;
  /** Dispatches a queue and claims whatever is ready there. */
  claimAll(queue: QueueName): Promise<ClaimedJob[]>;
  /** Dispatches its queue and claims this post's job. */
  claimStage(postId: string, queue: QueueName): Promise<ClaimedJob>;
  runToEnd(postId: string): Promise<void>;
}

/** `adminUrl`: the test's own server; default: the shared one. `pipelines`: default the toy pipeline of posts. */
export async function openWorkFixture(
  adminUrl?: string,
  pipelines: WorkStoreOptions["pipelines"] = toyPipelines,
): Promise<WorkFixture> {
  const testDatabase = await createTestDatabase(adminUrl);
  const database = createDatabase({
    url: testDatabase.url,
    poolSize: 8,
    name: "test",
    onError: () => {},
  });
  const work = createWorkStore(database, {
    pipelines,
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });

  async function rows<T>(sql: string, values: unknown[] = []): Promise<T[]> {
    return (await database.pool.query(sql, values)).rows as T[];
  }

  async function claimStage(postId: string, queue: QueueName): Promise<ClaimedJob> {
    await work.dispatch(queue, 1_000);
    const [row] = await rows<{ id: number; epoch: number }>(
      "select id, epoch from stage_job where key = $1 and queue = $2 and state = 'queued'",
      [postId, queue],
    );
    if (row === undefined) throw new Error(`no queued job of ${postId} in ${queue}`);
    const [job] = await work.claim([row], "test-worker");
    if (job === undefined) throw new Error("not claimed");
    return job;
  }

  return {
    database,
    work,
    rows,
    claimStage,
    claimAll: async (queue) => await work.claim(await work.dispatch(queue, 10_000), "test-worker"),
    stagesOf: (postId) =>
      rows<StageRow>(
        "select id, stage, state, epoch, attempts, lane from stage_job where key = $1 order by id",
        [postId],
      ),
    requestOf: async (id) =>
      (await rows<Record<string, unknown>>("select * from request where id = $1", [id]))[0],
    async runToEnd(postId) {
      for (const queue of ["io", "gpu", "llm"] as const) {
        await work.settle([toDone(await claimStage(postId, queue), postId)]);
      }
    },
    async [Symbol.asyncDispose]() {
      await database.close();
      await testDatabase.drop();
    },
  };
}

export function toDone({ id, epoch }: Pick<ClaimedJob, "id" | "epoch">, postId: string): Outcome {
  return { id, epoch, kind: "done", output: { postId }, records: [], calls: [] };
}
