import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkSchema, createDatabase, migrateDatabase } from "@clipmill/db";
import { migrateQueueSchema } from "@clipmill/queue";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { examineHealth } from "../../../apps/api/src/health/examine-health.ts";
import { API_MAIN, MAIN, WORKER_MAIN } from "../../../apps/cli/src/paths.ts";
import {
  createEmptyDatabase,
  createTestDatabase,
  type TestDatabase,
} from "../../support/servers/database.ts";
import { findFreePort } from "../../support/servers/free-port.ts";

let home: string;
const made: TestDatabase[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "clipmill-start-"));
});

afterEach(async () => {
  for (const database of made.splice(0)) await database.drop();
  await rm(home, { recursive: true, force: true });
});

async function migrated(...statements: string[]): Promise<string> {
  const database = await createTestDatabase();
  made.push(database);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
  return database.url;
}

async function empty(): Promise<string> {
  const database = await createEmptyDatabase();
  made.push(database);
  return database.url;
}

const FORGET_LAST = `delete from drizzle.__drizzle_migrations where created_at =
  (select max(created_at) from drizzle.__drizzle_migrations)`;
const ADD_LATER =
  "insert into drizzle.__drizzle_migrations (hash, created_at) values ('of a later version', 9e15::bigint)";
const EXCLUDE_US = "update drizzle.compatibility set oldest_program = 999";

interface Ended {
  code: number | null;
  output: string;
}

/** Ends it once it is ready, which nothing here is meant to become but where the test says so. */
async function start(
  args: string[],
  databaseUrl: string,
  changes: NodeJS.ProcessEnv = {},
): Promise<Ended & { ready: boolean }> {
  const env = {
    PATH: process.env["PATH"],
    CLIPMILL_HOME: home,
    DATABASE_URL: databaseUrl,
    DASHBOARD_PASSWORD: "of-the-test",
    PORT: String(await findFreePort()),
    ...changes,
  };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let ready = false;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (!/"msg":"(worker|api) ready"/.test(output)) return;
      ready = true;
      child.kill("SIGTERM");
    });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output, ready };
}

const withPassword = (url: string, password: string) =>
  Object.assign(new URL(url), { password }).href;
const withName = (url: string, name: string) =>
  Object.assign(new URL(url), { pathname: name }).href;

const PROGRAMS = [
  ["the worker", [WORKER_MAIN], 2],
  ["the API", [API_MAIN], 2],
  ["clipmill dead list", [MAIN, "dead", "list"], 1],
] as const;

const UNFIT: [what: string, make: () => Promise<string>, expected: RegExp][] = [
  ["an empty database", empty, /the database is empty.*clipmill migrate/],
  [
    "an older one",
    () => migrated(FORGET_LAST),
    /older than this clipmill and lacks \d{4}_\w+.*clipmill migrate/,
  ],
  [
    "a newer one that takes no program of this age",
    () => migrated(ADD_LATER, EXCLUDE_US),
    /newer than this clipmill.*update clipmill/,
  ],
  [
    "one of another line of versions",
    () => migrated(FORGET_LAST, ADD_LATER),
    /another line of clipmill/,
  ],
  [
    "one that does not exist",
    async () => withName(await migrated(), "/no_such_database"),
    /no such database/,
  ],
  [
    "a wrong password",
    async () => withPassword(await migrated(), "wrong"),
    /refuses the user or the password/,
  ],
];

describe.each(PROGRAMS)("%s", (name, args, exitCode) => {
  // All ask the same function, so one of them is shown every database and the others two.
  const shown = name === "the worker" ? UNFIT : UNFIT.slice(0, 2);
  test.each(shown)("refuses %s in words, without a stack", async (_what, make, expected) => {
    const { code, output } = await start([...args], await make());
    expect(output).toMatch(expected);
    expect(output).not.toMatch(/^ {4}at |wrong@/m);
    expect(output.trim().split("\n").length).toBeLessThanOrEqual(2);
    expect(code).toBe(exitCode);
  });
});

test.each(PROGRAMS.slice(0, 2))(
  "%s serves a newer database that takes programs of this age",
  async (_name, args) => {
    const { code, ready } = await start([...args], await migrated(ADD_LATER));
    expect({ code, ready }).toEqual({ code: 0, ready: true });
  },
);

test("a worker whose Postgres is away says so in one line and ends with 1, to be started again", async () => {
  const { code, output } = await start([WORKER_MAIN], "postgres://u:hush@127.0.0.1:1/x");
  expect(output).toMatch(/^DATABASE_URL: cannot connect \(ECONNREFUSED\)\. Fix it: .*$/m);
  expect(output).not.toMatch(/^ {4}at |hush/m);
  expect(code).toBe(1);
});

test("an API whose list names an engine that there is not ends, instead of hanging half open", async () => {
  const { code, output } = await start([API_MAIN], await migrated(), { ASR_ENGINES: "whisper" });
  expect(output).toContain('ASR_ENGINES lists "whisper"');
  expect(code).toBe(2);
});

describe("clipmill migrate", () => {
  const migrate = (url: string) => start([MAIN, "migrate"], url);

  test("makes an empty database fit, also twice", async () => {
    const url = await empty();
    for (const _time of [1, 2]) expect(await migrate(url)).toMatchObject({ code: 0 });
    const database = createDatabase({ url, poolSize: 1, name: "test", onError() {} });
    expect(await checkSchema(database.pool)).toBeNull();
    await database.close();
  });

  test("leaves a newer database as it is, and takes back nothing of what it demands", async () => {
    const url = await migrated(ADD_LATER, "update drizzle.compatibility set oldest_program = 5");
    await migrateDatabase({ url, queueMigrations: migrateQueueSchema });
    const excluding = await migrated(ADD_LATER, EXCLUDE_US);
    const { code, output } = await migrate(excluding);
    expect(output).toContain("update clipmill");
    expect(code).toBe(2);
  });

  test("names the right that the user lacks", async () => {
    const url = await empty();
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    const name = `app_${Date.now()}`;
    await admin.query(`create role ${name} login password 'pw'`);
    const asApp = Object.assign(new URL(url), { username: name, password: "pw" }).href;
    const { code, output } = await migrate(asApp);
    await admin.query(`drop role ${name}`);
    await admin.end();
    expect(output).toMatch(/may not use or create clipmill's tables.*ALTER DATABASE/);
    expect(code).toBe(2);
  });
});

describe("readiness", () => {
  const backend = { kind: "redis", checkWritable: () => Promise.resolve() } as const;

  async function examine(url: string, queue: Parameters<typeof examineHealth>[1] = backend) {
    const database = createDatabase({ url, poolSize: 1, name: "test", onError() {} });
    try {
      return await examineHealth(database.pool, queue);
    } finally {
      await database.close();
    }
  }

  test("is there on a database of this version", async () => {
    expect(await examine(await migrated())).toEqual({ database: true, queue: true, problems: [] });
  });

  test("is not there without the tables, and says what to run", async () => {
    expect(await examine(await empty())).toEqual({
      database: false,
      queue: true,
      problems: ["DATABASE_URL: the database is empty. Fix it: run `clipmill migrate`"],
    });
  });

  test("tells a Redis that has become a replica", async () => {
    const checkWritable = () =>
      Promise.reject(new Error("READONLY You can't write against a replica"));
    const { queue, problems } = await examine(await migrated(), { kind: "redis", checkWritable });
    expect(queue).toBe(false);
    expect(problems).toEqual([expect.stringContaining("is a replica")]);
  });
});
