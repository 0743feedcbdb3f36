import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase, createWorkStore, migrateDatabase } from "@clipmill/db";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { prepareDirectory } from "../../../packages/postgres/src/account.ts";
import { preparePostgresBinaries } from "../../../packages/postgres/src/binaries.ts";
import { dataDirectoryOf } from "../../../packages/postgres/src/cluster.ts";
import { startEmbeddedPostgres } from "@clipmill/postgres";
import { toProxied } from "../../chaos/harness/servers.ts";
import { createTcpProxy } from "../../chaos/harness/tcp-proxy.ts";
import { findFreePort } from "../../support/servers/free-port.ts";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";
import { toDone } from "../../support/work/work-fixture.ts";

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  wal_level: "replica",
  fsync: "off",
};
const WITHIN = { timeout: 20_000, interval: 50 };
const COUNT = 5;

let root: string;
/** A cluster with the schema in it, at rest, that can be replicated. */
let template: string;
let url: string;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "clipmill-failover-"));
  template = join(root, "template");
  const server = await startEmbeddedPostgres({
    directory: template,
    durable: false,
    log: { info() {} },
  });
  ({ url } = server);
  await migrateDatabase({ url });
  await server.close();
  // A replica starts from nothing that was written for no replica.
  await (await launch(template, {})).end("SIGINT");
});

afterAll(() => rm(root, { recursive: true, force: true }));

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** On a copy of the template. */
async function startCopy(name: string, settings: Record<string, string>, files: string[] = []) {
  const directory = join(root, `${name}-${Date.now()}`);
  await cp(template, directory, { recursive: true });
  for (const file of files) await writeFile(join(dataDirectoryOf(directory), file), "");
  const server = await launch(directory, settings);
  closers.push(() => server.end("SIGQUIT"));
  return server;
}

async function launch(directory: string, settings: Record<string, string>) {
  const { postgres } = await preparePostgresBinaries();
  const { prefix, uid, gid } = await prepareDirectory(directory);
  const port = await findFreePort();
  const options = Object.entries({ ...SETTINGS, ...settings, port: String(port) });
  const [program = "", ...args] = [
    ...prefix,
    postgres,
    "-D",
    dataDirectoryOf(directory),
    ...options.flatMap(([key, value]) => ["-c", `${key}=${value}`]),
  ];
  const child = spawn(program, args, { stdio: "ignore", uid, gid });
  const exited = once(child, "exit");
  const own = toProxied(url, port);
  await vi.waitFor(() => ask(own, "select 1"), WITHIN);
  return {
    url: own,
    port,
    /** SIGINT: in peace; SIGQUIT: at once, without a goodbye. */
    async end(signal: "SIGINT" | "SIGQUIT") {
      child.kill(signal);
      await exited;
    },
  };
}

async function ask<T extends pg.QueryResultRow>(at: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: at });
  try {
    await client.connect();
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A primary, its replica, and a store that finds whichever is in charge at one address. */
async function startPair(settings: Record<string, string>) {
  const primary = await startCopy("primary", settings);
  const [toPrimary, address] = [
    await createTcpProxy(primary.port),
    await createTcpProxy(primary.port),
  ];
  const { username, password } = new URL(url);
  const primary_conninfo = `host=127.0.0.1 port=${toPrimary.port} user=${username} password=${password} application_name=replica`;
  const replica = await startCopy("replica", { primary_conninfo }, ["standby.signal"]);
  await vi.waitFor(async () => {
    const sent = "select 1 from pg_stat_replication where state = 'streaming'";
    expect(await ask(primary.url, sent)).toHaveLength(1);
  }, WITHIN);
  const database = createDatabase({
    url: toProxied(url, address.port),
    poolSize: 4,
    name: "test",
    onError() {},
  });
  closers.push(
    () => toPrimary.close(),
    () => address.close(),
    () => database.close(),
  );
  const work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: 30_000,
    queuedForMs: 30_000,
  });
  const accept = async () => {
    const posts = Array.from({ length: COUNT }, () => newPostId());
    return (await work.accept(posts.map((post) => toSubmission(post)))).map(
      ({ requestId }) => requestId,
    );
  };
  return {
    work,
    accept,
    /** The replica hears nothing more, and the primary does not know. */
    loseTouch: () => toPrimary.hole(),
    async failOver() {
      await primary.end("SIGQUIT");
      await ask(replica.url, "select pg_promote()");
      address.redirect(replica.port);
      address.cut();
      await vi.waitFor(() => database.pool.query("select 1"), WITHIN);
    },
    /** Commits that wait for the replica. */
    countWaiting: async () =>
      (await ask(primary.url, "select 1 from pg_stat_activity where wait_event = 'SyncRep'"))
        .length,
    hasCaughtUp: async () => {
      const [row] = await ask<{ isEven: boolean }>(
        primary.url,
        'select replay_lsn = pg_current_wal_lsn() as "isEven" from pg_stat_replication',
      );
      return row?.isEven;
    },
    async finish() {
      for (const queue of ["io", "gpu", "llm"] as const) {
        const jobs = await work.claim(await work.dispatch(queue, 100), "after");
        await work.settle(jobs.map((job) => toDone(job, job.key)));
      }
    },
    findIds: async (state: string) =>
      (
        await database.pool.query<{ id: string }>("select id from request where state = $1", [
          state,
        ])
      ).rows
        .map(({ id }) => id)
        .toSorted(),
  };
}

test("a synchronous replica takes over all that was acknowledged, and it ends", async () => {
  const pair = await startPair({ synchronous_standby_names: "replica" });
  const { work, accept, loseTouch, countWaiting, failOver, finish, findIds } = pair;
  const told = await accept();
  const [running] = await work.claim(await work.dispatch("io", 1), "before");
  if (running === undefined) throw new Error("not claimed");
  expect(loseTouch()).toBe(1);
  const untold = expect(accept()).rejects.toThrow();
  await vi.waitFor(async () => expect(await countWaiting()).toBe(1), WITHIN);
  await failOver();
  await untold;
  expect(await findIds("open")).toEqual(told.toSorted());
  expect(await work.settle([toDone(running, running.key)])).toMatchObject({ fenced: [] });
  await finish();
  expect(await findIds("done")).toEqual(told.toSorted());
});

test("an asynchronous replica lacks what it had not heard of, and the rest ends", async () => {
  const { accept, loseTouch, failOver, finish, findIds, hasCaughtUp } = await startPair({});
  const kept = await accept();
  await vi.waitFor(async () => expect(await hasCaughtUp()).toBe(true), WITHIN);
  expect(loseTouch()).toBe(1);
  expect(await accept()).toHaveLength(COUNT);
  await failOver();
  await finish();
  expect(await findIds("done")).toEqual(kept.toSorted());
  expect(await findIds("open")).toEqual([]);
});
