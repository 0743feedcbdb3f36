import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { findFreePort } from "../../support/servers/free-port.ts";
import type { LoopLag } from "../processes/loop-lag.ts";
import { type RunningProgram, startProgram } from "../support/program.ts";
import {
  type BenchServers,
  createBenchDatabase,
  dropBenchDatabase,
  flushRedis,
} from "../support/servers.ts";
import { toPostLink } from "./post-ids.ts";

/** `redis`: the production shape. `embedded`: without REDIS_URL, with the queue on Postgres. */
export type Shape = "redis" | "embedded";

/** One API and one worker with all queues and roles, as they are deployed, on a database of their own. */
export interface Clipmill {
  readonly pids: Record<"worker" | "api", number>;
  readonly apiUrl: string;
  /** Posts the links as one list; resolves with the moment before that, in ms of the system's clock. */
  submit(ids: readonly string[]): Promise<number>;
  /** Resolves when none is open, with the moment when the last one ended. Throws where one did not end `done`. */
  untilDone(): Promise<number>;
  /** Throws where a post of these has no summary, or no transcript if it is `spoken`, or else no text of its pictures. */
  checkResults(ids: readonly string[], spoken: (id: string) => boolean): Promise<void>;
  /** One post, from the call to its answer, in ms. */
  timePost(id: string): Promise<number>;
  resetLag(): Promise<void>;
  readLag(): Promise<LoopLag>;
  close(): Promise<void>;
}

export interface ClipmillOptions {
  servers: BenchServers;
  shape: Shape;
  standInsUrl: string;
  /** For the files of this one. */
  directory: string;
  /** Loads the measure of the event loop into the worker, which costs it a little. Default: false. */
  measuresLag?: boolean;
}

const LOOK_EVERY_MS = 150;
const ENDS_WITHIN_MS = 600_000;
const LOOP_LAG = fileURLToPath(new URL("../processes/loop-lag.ts", import.meta.url));
const CHECKED_AT_ONCE = 8;

export async function startClipmill(options: ClipmillOptions): Promise<Clipmill> {
  const { servers, shape, standInsUrl } = options;
  await flushRedis(servers.redisUrl);
  const databaseUrl = await createBenchDatabase(servers);
  const name = new URL(databaseUrl).pathname.slice(1);
  const home = join(options.directory, name);
  await mkdir(home, { recursive: true });
  const env = {
    DATABASE_URL: databaseUrl,
    ...(shape === "redis" ? { REDIS_URL: servers.redisUrl } : {}),
    DASHBOARD_PASSWORD: "not-a-secret",
    CLIPMILL_HOME: home,
    CLIPMILL_SANDBOX: "on",
    CLIPMILL_SANDBOX_URL: standInsUrl,
    // Only this one, also where pocketsphinx is installed: the script has no other.
    ASR_ENGINES: "openai",
    ASR_BASE_URL: `${standInsUrl}/openai`,
    LLM_ENGINES: "claude",
    HOME: home,
  };
  const worker = await startProgram(
    "worker",
    env,
    options.measuresLag === true ? ["--import", LOOP_LAG] : [],
  );
  const api = await startProgram("api", { ...env, PORT: String(await findFreePort()) });
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  return {
    ...toHandle({ worker, api, client }),
    async close() {
      await client.end();
      await Promise.all([worker.stop(), api.stop()]);
      await dropBenchDatabase(servers, databaseUrl);
    },
  };
}

interface Parts {
  worker: RunningProgram;
  api: RunningProgram;
  client: pg.Client;
}

function toHandle({ worker, api, client }: Parts): Omit<Clipmill, "close"> {
  const apiUrl = api.url ?? "";
  return {
    pids: { worker: worker.pid, api: api.pid },
    apiUrl,
    async submit(ids) {
      const from = Date.now();
      const response = await fetch(`${apiUrl}/v1/backfills`, {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body: ids.map((id) => `${toPostLink(id)}\n`).join(""),
      });
      const { counts } = (await response.json()) as { counts?: { accepted: number } };
      if (counts?.accepted !== ids.length)
        throw new Error(`the API accepted ${counts?.accepted} posts, status ${response.status}`);
      return from;
    },
    untilDone: () => untilDone(client),
    checkResults: (ids, spoken) => checkResults(apiUrl, client, ids, spoken),
    async timePost(id) {
      const from = performance.now();
      const response = await fetch(`${apiUrl}/v1/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json", prefer: "wait=60" },
        body: JSON.stringify({ url: toPostLink(id), lane: "interactive" }),
      });
      const { status } = (await response.json()) as { status: string };
      if (status !== "done") throw new Error(`the post ended ${status}`);
      return performance.now() - from;
    },
    async resetLag() {
      await worker.ask("loop-lag-reset");
    },
    readLag: () => worker.ask<LoopLag>("loop-lag"),
  };
}

async function untilDone(client: pg.Client): Promise<number> {
  for (const until = Date.now() + ENDS_WITHIN_MS; Date.now() < until;) {
    const { rows } = await client.query<{ open: number; failed: number; endedAt: number }>(
      `select (count(*) filter (where state = 'open'))::int as open,
        (count(*) filter (where state not in ('open', 'done')))::int as failed,
        (extract(epoch from max(finished_at)) * 1000)::float8 as "endedAt" from request`,
    );
    const { open = 0, failed = 0, endedAt = Number.NaN } = rows[0] ?? {};
    if (failed > 0)
      throw new Error(`${failed} posts did not end done: the figure would mean nothing`);
    if (open === 0) return endedAt;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error("the posts did not end in time");
}

/** Through the API, as whoever asked for them reads them. */
async function checkResults(
  apiUrl: string,
  client: pg.Client,
  ids: readonly string[],
  spoken: (id: string) => boolean,
): Promise<void> {
  const { rows } = await client.query<{ id: string; postId: string }>(
    `select id, post_id as "postId" from request where post_id = any($1)`,
    [ids],
  );
  if (rows.length !== ids.length)
    throw new Error(`${rows.length} of ${ids.length} posts are there`);
  const left = [...rows];
  const check = async () => {
    for (let row = left.pop(); row !== undefined; row = left.pop()) {
      const response = await fetch(`${apiUrl}/v1/jobs/${row.id}`);
      const { result } = (await response.json()) as { result?: Record<string, unknown> | null };
      const { transcript, ocr, summary } = result ?? {};
      const words = spoken(row.postId) ? transcript : Array.isArray(ocr) ? ocr[0] : undefined;
      if (summary == null || words == null)
        throw new Error(`post ${row.postId} is done without its words or its summary`);
    }
  };
  await Promise.all(Array.from({ length: CHECKED_AT_ONCE }, check));
}
