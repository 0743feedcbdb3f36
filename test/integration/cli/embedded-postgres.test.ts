import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { findRunningPostgres, startEmbeddedPostgres } from "@clipmill/postgres";
import { identifyProcess } from "../../../packages/postgres/src/postmaster.ts";

const DEAD_PID = 4_194_305; // above the kernel's largest pid

let root: string;
let directory: string;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "clipmill-embedded-"));
  directory = join(root, "template");
  await (await start()).close();
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

beforeEach(async () => {
  directory = join(await mkdtemp(join(root, "test-")), "postgres");
});

/** Gives the test a directory that was in use before: initdb takes most of a second, a copy a tenth. */
async function copyTemplate(): Promise<void> {
  await cp(join(root, "template"), directory, { recursive: true });
}

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(options: { port?: number } = {}) {
  const log = { info: vi.fn() };
  const server = await startEmbeddedPostgres({ directory, durable: false, log, ...options });
  closers.push(() => server.close());
  return { ...server, log };
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A process that started Postgres here, with `path` as its PATH. */
async function startElsewhere(path = process.env["PATH"] ?? "") {
  const script = new URL("../../support/servers/postgres-starter.ts", import.meta.url);
  const env = { ...process.env, PATH: path };
  const child = fork(script, [directory], { env, execArgv: [] });
  const [message] = (await once(child, "message")) as [{ pid: number; url: string }];
  const kill = async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return { ...message, kill };
}

describe("the embedded Postgres", () => {
  test("keeps data, port and password from one start to the next", async () => {
    const first = await start();
    await query(first.url, "create table kept as select 42 as answer");
    await first.close();
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await query(second.url, "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  test("hides its directory and password from other users, and lets nobody in without it", async () => {
    await copyTemplate();
    const { url } = await start();
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, "password"))).mode & 0o777).toBe(0o600);
    const wrong = new URL(url);
    wrong.password = "guess";
    await expect(query(wrong.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
  });

  test("is durable unless told otherwise", async () => {
    const log = { info: () => {} };
    const server = await startEmbeddedPostgres({ directory, log });
    closers.push(() => server.close());
    const rows = await query(
      server.url,
      "select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')",
    );
    expect(rows.map((row) => (row as { setting: string }).setting)).toEqual(["on", "on", "on"]);
  });

  test("leaves no process and a settled `exited` after close", async () => {
    await copyTemplate();
    const server = await start();
    await server.close();
    expect(identifyProcess(server.pid)).toBeNull();
    expect(await server.exited).toContain("database system is shut down");
    await server.close();
  });

  test("refuses a second start on the directory and names the first", async () => {
    await copyTemplate();
    const { pid, port, url } = await start();
    expect(findRunningPostgres(directory)).toEqual({ pid, port, url });
    await expect(start()).rejects.toThrow(`started by process ${process.pid}`);
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("finds nothing running where nothing runs", async () => {
    await copyTemplate();
    expect(findRunningPostgres(directory)).toBeNull();
    const server = await start();
    await server.close();
    expect(findRunningPostgres(directory)).toBeNull();
  });

  test("keeps what was committed when its starter is killed", async () => {
    await copyTemplate();
    const elsewhere = await startElsewhere();
    await query(elsewhere.url, "create table survived as select 1 as one");
    await elsewhere.kill();
    expect(findRunningPostgres(directory)).toBeNull();
    const { url } = await start();
    expect(await query(url, "select one from survived")).toEqual([{ one: 1 }]);
  });

  test("stops a server whose starter was killed before it starts its own", async () => {
    await copyTemplate();
    const elsewhere = await startElsewhere(await pathWithout("setpriv"));
    await elsewhere.kill();
    expect(identifyProcess(elsewhere.pid)).not.toBeNull();
    const { log, url } = await start();
    expect(identifyProcess(elsewhere.pid)).toBeNull();
    expect(log.info.mock.calls).toEqual([
      [{ pid: elsewhere.pid }, "stopping a Postgres whose starter had died"],
    ]);
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test.each([
    ["of a dead process", () => DEAD_PID],
    ["whose pid another program has now", () => process.pid],
  ])("removes a stale pid file %s", async (_what, pid) => {
    await copyTemplate();
    const pidFile = join(directory, "data/postmaster.pid");
    await writeFile(pidFile, `${pid()}\n${directory}/data\n1\n54329\n\n127.0.0.1\n\nready\n`);
    const { log, url } = await start();
    expect(log.info).toHaveBeenCalledWith({}, "removed the pid file of a Postgres that had died");
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("does a half-made cluster again", async () => {
    const rubbish = join(directory, `initdb-${DEAD_PID}-1`);
    await mkdir(join(rubbish, "data"), { recursive: true });
    await writeFile(join(rubbish, "data/PG_VERSION"), "18\n");
    const { url } = await start();
    expect(existsSync(rubbish)).toBe(false);
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("moves on from a taken port, but not from a configured one", async () => {
    await copyTemplate();
    const first = await start();
    await first.close();
    const squatter = createServer().listen(first.port, "127.0.0.1");
    await once(squatter, "listening");
    closers.push(async () => void squatter.close());
    await expect(start({ port: first.port })).rejects.toThrow(`port ${first.port}`);
    const second = await start();
    expect(second.port).not.toBe(first.port);
    const { port } = squatter.address() as AddressInfo;
    expect(port).toBe(first.port);
  });

  test("makes an empty password file anew, and says so where data would be locked out", async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(join(directory, "password"), "\n");
    const { url } = await start();
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
    for (const close of closers.splice(0)) await close();
    await writeFile(join(directory, "password"), "");
    await expect(start()).rejects.toThrow(`${join(directory, "password")} is empty`);
    expect(existsSync(join(directory, "data/PG_VERSION"))).toBe(true);
  });

  test("refuses the data of another major version", async () => {
    await mkdir(join(directory, "data"), { recursive: true });
    await writeFile(join(directory, "data/PG_VERSION"), "17\n");
    await expect(start()).rejects.toThrow("made by Postgres 17");
    expect(await readFile(join(directory, "data/PG_VERSION"), "utf8")).toBe("17\n");
  });

  test("refuses a directory of another user", async () => {
    await mkdir(directory, { recursive: true });
    const { uid } = await stat(directory);
    vi.spyOn(process, "getuid").mockReturnValue(uid + 1);
    await expect(start()).rejects.toThrow(`belongs to user ${uid}`);
    vi.restoreAllMocks();
  });
});

/** A PATH with everything that the launcher may call, save one program. */
async function pathWithout(program: string): Promise<string> {
  const bin = await mkdtemp(join(directory, "../bin-"));
  for (const name of ["id", "ps", "setpriv", "true", "unshare"]) {
    const found = (process.env["PATH"] ?? "")
      .split(delimiter)
      .map((entry) => join(entry, name))
      .find((path) => existsSync(path));
    if (name !== program && found !== undefined) await symlink(found, join(bin, name));
  }
  return bin;
}
