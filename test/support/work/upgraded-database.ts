import { readFile } from "node:fs/promises";
import {
  createDatabase,
  createListener,
  createPostReader,
  createRequestReader,
  createWorkStore,
  type Database,
  migrateDatabase,
} from "@clipmill/db";
import type { CallLedger, ClaimedJob, WorkStore } from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import { migrateQueueSchema } from "@clipmill/queue";
import pg from "pg";
import { onTestFinished } from "vitest";
import { createEmptyDatabase } from "../servers/database.ts";

/** What the earlier code said of the database that it left. */
export interface Recorded {
  madeAt: string;
  /** Rows by table. */
  counts: Record<string, number>;
  /** By tenant. */
  balances: Record<string, { available: number; held: number }>;
  /** Bodies of the API's answers by path: stored posts, requests that had ended, lists. */
  answers: Record<string, unknown>;
}

export interface UpgradedDatabase {
  database: Database;
  recorded: Recorded;
  /** With the real planner. */
  work: WorkStore & CallLedger;
  requests: ReturnType<typeof createRequestReader>;
  posts: ReturnType<typeof createPostReader>;
  rows<T>(sql: string, values?: unknown[]): Promise<T[]>;
  /** Ids and ends of all requests that have a key, by it. */
  findRequests(): Promise<Map<string, FoundRequest>>;
  /** The open job of a request as whoever held or holds it knows it. */
  findOpenJob(requestKey: string): Promise<OpenJob>;
}

export interface FoundRequest {
  id: string;
  state: string;
  errorCode: string | null;
}

export type OpenJob = Pick<ClaimedJob, "id" | "epoch" | "stage" | "input" | "attempts"> & {
  state: string;
};

const directory = (path: string) => new URL(`../../../${path}`, import.meta.url);

/** The migrations that the earlier code had. */
const EARLIER_MIGRATIONS = [
  "0000_spine",
  "0001_hot_updates",
  "0002_fresh_recognition",
  "0003_short_keys",
  "0004_late_jobs",
];

/** In the schema of then. What had ended keeps its moments: the answers show them. */
const MOVE_TO_NOW = `
with shift as (select now() - $1::timestamptz as by), open_job as (
  update stage_job set run_at = run_at + shift.by, deadline = deadline + shift.by, start_by = start_by + shift.by
  from shift where state in ('ready', 'queued', 'running')), open_request as (
  update request set deadline = deadline + shift.by from shift where state = 'open'), workers as (
  update worker_process set seen_at = seen_at + shift.by from shift)
update upstream set paused_until = paused_until + shift.by, probe_until = probe_until + shift.by,
  next_turn_at = next_turn_at + shift.by, pace_at = pace_at + shift.by
from shift`;

/**
 * The database of test/fixtures/upgrade as if its programs had stopped just now, brought up to date by the present code.
 * Closed and dropped when the test is over.
 */
export async function openUpgradedDatabase(): Promise<UpgradedDatabase> {
  const { url, drop } = await createEmptyDatabase();
  const fixture = (ext: string) =>
    readFile(directory(`test/fixtures/upgrade/d5085f8.${ext}`), "utf8");
  const recorded = JSON.parse(await fixture("json")) as Recorded;
  await loadEarlier(url, await fixture("sql"), recorded);
  await migrateDatabase({ url, queueMigrations: migrateQueueSchema });

  const onError = () => {};
  const database = createDatabase({ url, poolSize: 4, name: "test", onError });
  const listener = createListener({ url, onError });
  onTestFinished(async () => {
    await listener.close();
    await database.close();
    await drop();
  });
  async function rows<T>(sql: string, values: unknown[] = []): Promise<T[]> {
    return (await database.pool.query(sql, values)).rows as T[];
  }
  return {
    database,
    recorded,
    work: createWorkStore(database, { pipelines, leaseMs: 30_000, queuedForMs: 60_000 }),
    requests: createRequestReader(database, listener),
    posts: createPostReader(database),
    rows,
    async findRequests() {
      const found = await rows<FoundRequest & { key: string }>(
        `select idempotency_key as key, id, state, error_code as "errorCode" from request
         where idempotency_key is not null order by id`,
      );
      return new Map(found.map(({ key, ...request }) => [key, request]));
    },
    async findOpenJob(requestKey) {
      const [job] = await rows<OpenJob>(
        `select j.id, j.epoch, j.stage, j.input, j.attempts, j.state
         from request r join request_stage_job l on l.request_id = r.id join stage_job j on j.id = l.stage_job_id
         where r.idempotency_key = $1 and j.state in ('ready', 'queued', 'running')`,
        [requestKey],
      );
      if (job === undefined) throw new Error(`${requestKey} has no open job`);
      return job;
    },
  };
}

async function loadEarlier(url: string, sql: string, { madeAt }: Recorded): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const name of EARLIER_MIGRATIONS)
      await client.query(await readFile(directory(`migrations/${name}.sql`), "utf8"));
    await client.query(sql);
    await client.query(MOVE_TO_NOW, [madeAt]);
    // The stored answers show moments as a server in UTC formats them.
    await client.query(`alter database ${client.database ?? ""} set timezone = 'UTC'`);
  } finally {
    await client.end();
  }
}
