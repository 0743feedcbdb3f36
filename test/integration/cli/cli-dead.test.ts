import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createDatabase, type Database } from "@clipmill/db";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";

const MAIN = fileURLToPath(new URL("../../../apps/cli/src/main.ts", import.meta.url));

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const onError = () => {};
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: "test", onError });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  await database.pool.query("truncate stage_job restart identity");
  await database.pool.query(
    `insert into stage_job (stage, key, queue, state, lane, tenant, input, attempts, error_code, error_message, finished_at)
     select 'download', 'k' || n, 'io', 'failed', 2, 'local', '{}', 3, case n when 3 then 'timeout' else 'blocked' end,
       $1, now() - make_interval(hours => n) from generate_series(1, 3) n`,
    ["no \u001b[31mentry"],
  );
});

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

function clipmill(args: string[], databaseUrl = testDatabase.url): Promise<Run> {
  const env = { ...process.env, DATABASE_URL: databaseUrl };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, "dead", ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

async function idsIn(state: string): Promise<number[]> {
  const { rows } = await database.pool.query<{ id: number }>(
    "select id from stage_job where state = $1 and dropped_at is null order by id",
    [state],
  );
  return rows.map(({ id }) => id);
}

describe("clipmill dead", () => {
  test("lists what is dead, without what could steer the terminal", async () => {
    const { code, stdout } = await clipmill(["list"]);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(3);
    expect(stdout).toContain("no [31mentry");
    expect(stdout).toMatch(/^ +1 {2}\S+ {2}download +blocked +local {2}3× /);
  });

  test("filters by code and age, as JSON too", async () => {
    const { stdout } = await clipmill([
      "list",
      "--code",
      "blocked",
      "--older-than",
      "90m",
      "--json",
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      id: 2,
      code: "blocked",
      detail: "no \u001b[31mentry",
      failed_at: expect.any(String) as unknown,
    });
  });

  test("shows one, or says that there is none", async () => {
    expect(JSON.parse((await clipmill(["show", "3"])).stdout)).toMatchObject({
      id: 3,
      code: "timeout",
      jobs: [],
      job_count: 0,
    });
    expect(await clipmill(["show", "4"])).toMatchObject({ code: 1, stdout: "" });
  });

  test("retries by number", async () => {
    expect((await clipmill(["retry", "1", "3"])).stdout).toBe(
      "work items to be tried again: 2; jobs open again: 0\n",
    );
    expect(await idsIn("failed")).toEqual([2]);
    expect(await idsIn("ready")).toEqual([1, 3]);
  });

  test("drops by filter", async () => {
    expect((await clipmill(["drop", "--code", "timeout"])).stdout).toBe("work items dropped: 1\n");
    expect(await idsIn("failed")).toEqual([1, 2]);
  });

  test.each([
    ["no ids and no filter", ["retry"]],
    ["ids and a filter", ["drop", "1", "--stage", "download"]],
    ["an unknown code", ["retry", "--code", "nonsense"]],
    ["an age without a unit", ["retry", "--older-than", "5"]],
    ["an age of centuries", ["retry", "--older-than", "999999d"]],
    ["a number that is none", ["drop", "1x"]],
    ["a limit over the bound", ["list", "--limit", "1001"]],
  ])("refuses %s with exit code 2, and touches nothing", async (_what, args) => {
    expect(await clipmill(args)).toMatchObject({ code: 2, stdout: "" });
    expect(await idsIn("failed")).toEqual([1, 2, 3]);
  });

  test("says that the database cannot be reached, and not its password", async () => {
    const run = await clipmill(["list"], "postgres://user:hush@127.0.0.1:1/x");
    expect(run).toMatchObject({ code: 1, stdout: "" });
    expect(run.stderr).toContain("ECONNREFUSED");
    expect(run.stderr).not.toContain("hush");
  });
});
