import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkRedis, createQueueBackend, type RedisCheck } from "@clipmill/queue";
import { Redis } from "ioredis";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { startRedisProgram } from "../../support/servers/global-setup-redis.ts";
import { findFreePort } from "../../support/servers/free-port.ts";
import { hasProgram } from "../../support/servers/programs.ts";

const PROGRAM = "redis-server";
const prefix = "trial";
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function start(...extra: string[]): Promise<URL> {
  const server = await startRedisProgram(PROGRAM, extra);
  if (server === null) throw new Error(`${PROGRAM} does not start`);
  closers.push(() => server.close());
  return new URL(server.url);
}

async function connect(url: URL): Promise<Redis> {
  const client = new Redis(url.href, { retryStrategy: () => null });
  client.on("error", () => {});
  closers.push(() => client.disconnect());
  return client;
}

const check = (url: URL | string): Promise<RedisCheck> => checkRedis({ url: String(url), prefix });

function withUser(url: URL, username: string, password: string): URL {
  return Object.assign(new URL(url), { username, password });
}

describe.skipIf(!hasProgram(PROGRAM, "--version"))("with redis-server on PATH", () => {
  test("a plain server is fine, and nothing is left in it", async () => {
    const url = await start();
    expect(await check(url)).toEqual({
      server: expect.stringMatching(/^(Redis|Valkey) \d/) as unknown,
      problem: null,
      warning: null,
    });
    expect(await (await connect(url)).dbsize()).toBe(0);
  });

  test("where CONFIG is refused, INFO tells what is evicted", async () => {
    const denied = ["--rename-command", "CONFIG", ""];
    expect(await check(await start(...denied))).toMatchObject({ problem: null, warning: null });
    const evicting = await start(...denied, "--maxmemory-policy", "allkeys-lru");
    expect(await check(evicting)).toMatchObject({
      problem: { problem: expect.stringContaining("allkeys-lru") as unknown, mayPass: false },
    });
  });

  test.each(["allkeys-lru", "volatile-ttl"])("one that evicts (%s) is refused", async (policy) => {
    const { problem } = await check(await start("--maxmemory-policy", policy));
    expect(problem?.problem).toBe(`maxmemory-policy is ${policy}, so jobs could be evicted`);
    expect(problem?.remedy).toContain("CONFIG SET maxmemory-policy noeviction");
  });

  test("a password that is missing or wrong is named as such, and never told", async () => {
    const url = await start("--requirepass", "right");
    expect((await check(url)).problem).toMatchObject({
      problem: "the server wants a password, and REDIS_URL has none",
      mayPass: false,
    });
    const wrong = await check(withUser(url, "", "wr%0Aong"));
    expect(wrong.problem).toMatchObject({
      problem: "the server refuses the user or the password of REDIS_URL",
      mayPass: false,
    });
    expect(JSON.stringify(wrong)).not.toContain('ong"');
    expect((await check(withUser(url, "nobody", "right"))).problem?.problem).toContain("user");
    expect(await check(withUser(url, "", "right"))).toMatchObject({ problem: null });
  });

  test("a replica is refused, whether its primary answers, and whether it takes writes", async () => {
    const replica = await start("--replicaof", "127.0.0.1 1");
    const expected = {
      problem: { problem: expect.stringContaining("replica") as unknown, mayPass: false },
    };
    expect(await check(replica)).toMatchObject(expected);
    const writable = await start("--replicaof", "127.0.0.1 1", "--replica-read-only", "no");
    expect(await check(writable)).toMatchObject(expected);
  });

  test("a queue whose server became a replica is not ready, and is again when it is a primary", async () => {
    const url = await start();
    const admin = await connect(url);
    const backend = createQueueBackend({
      redisUrl: url.href,
      databaseUrl: "",
      prefix,
      onError() {},
    });
    closers.push(() => backend.close());
    await expect(backend.checkWritable()).resolves.toBeUndefined();
    await admin.replicaof("127.0.0.1", 1);
    await expect(backend.checkWritable()).rejects.toThrow(/^(READONLY|MASTERDOWN)/);
    await admin.replicaof("NO", "ONE");
    await vi.waitFor(() => backend.checkWritable(), { timeout: 10_000, interval: 20 });
  });

  test("an account that may not do what BullMQ does is refused with what it lacks", async () => {
    const url = await start();
    const admin = await connect(url);
    const refusal = async (...rules: string[]) => {
      await admin.acl("SETUSER", "app", "reset", "on", ">pw", ...rules);
      return (await check(withUser(url, "app", "pw"))).problem;
    };
    const all = ["~trial:*", "+@all", "-@admin", "+info"];
    expect(await refusal(...all)).toBeNull();
    expect(await refusal("~other:*", "+@all")).toMatchObject({
      problem: "the user of REDIS_URL may not use BullMQ's keys",
      mayPass: false,
    });
    expect((await refusal(...all, "-info"))?.problem).toBe(
      "the user of REDIS_URL may not run INFO",
    );
    expect((await refusal(...all, "-eval"))?.problem).toBe(
      "the user of REDIS_URL may not run EVAL",
    );
    expect((await refusal(...all, "-xadd"))?.problem).toMatch(
      // Redis before 7.2 does not name the command to a script.
      /may not run (XADD|what BullMQ's scripts run)/,
    );
    expect((await refusal(...all, "-bzpopmin"))?.problem).toBe(
      "the user of REDIS_URL may not run BZPOPMIN",
    );
  });

  test("a node of a cluster is refused", async () => {
    const url = await start("--cluster-enabled", "yes");
    expect((await check(url)).problem?.problem).toContain("Redis Cluster");
  });

  test("a database that does not exist is refused, not replaced by the first one", async () => {
    const url = await start("--databases", "2");
    expect((await check(new URL("/1", url))).problem).toBeNull();
    for (const path of ["/2", "/clipmill"])
      expect((await check(new URL(path, url))).problem?.problem).toContain("no database");
  });

  test("one that is full, or cannot save, is waited for", async () => {
    const url = await start();
    const admin = await connect(url);
    await admin.config("SET", "maxmemory", "1");
    expect((await check(url)).problem).toMatchObject({
      problem: expect.stringContaining("maxmemory") as unknown,
      mayPass: true,
    });
  });

  test("nothing that listens, and nothing that speaks Redis, is said in words", async () => {
    const port = await findFreePort();
    expect((await check(`redis://127.0.0.1:${port}`)).problem).toMatchObject({
      problem: "cannot talk to the server (ECONNREFUSED)",
      mayPass: true,
    });
    const web = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await once(web.listen(0, "127.0.0.1"), "listening");
    closers.push(() => web.close());
    const { port: webPort } = web.address() as AddressInfo;
    expect((await check(`redis://127.0.0.1:${webPort}`)).problem?.remedy).toContain("rediss://");
    expect((await check("redis://no-such-host.invalid")).problem?.problem).toContain(
      "name of its host",
    );
  });
});

const tls = hasProgram(PROGRAM, "--version") && hasProgram("openssl", "version");

describe.skipIf(!tls)("a server with TLS (needs redis-server and openssl)", () => {
  const directory = mkdtempSync(join(tmpdir(), "clipmill-redis-tls-"));
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test("is told from one without, and a certificate that nobody vouches for is named", async () => {
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
      ],
      { stdio: "ignore" },
    );
    const port = await findFreePort();
    const plain = await start(
      "--tls-port",
      String(port),
      "--tls-cert-file",
      certificate,
      "--tls-key-file",
      key,
      "--tls-ca-cert-file",
      certificate,
      "--tls-auth-clients",
      "no",
    );
    expect((await check(`rediss://localhost:${port}`)).problem).toMatchObject({
      problem: expect.stringContaining("certificate is not trusted") as unknown,
      remedy: expect.stringContaining("NODE_EXTRA_CA_CERTS") as unknown,
      mayPass: false,
    });
    expect((await check(`redis://localhost:${port}`)).problem?.remedy).toContain("rediss://");
    expect((await check(`rediss://localhost:${plain.port}`)).problem?.remedy).toContain("redis://");
  });
});
