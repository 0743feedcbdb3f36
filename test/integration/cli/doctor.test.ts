import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase, createWorkerRegistry, createWorkStore } from "@clipmill/db";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { examine } from "../../../apps/cli/src/doctor/doctor.ts";
import type { Finding } from "../../../apps/cli/src/doctor/finding.ts";
import { loadCliConfig } from "../../../apps/cli/src/load-cli-config.ts";
import { createEmptyDatabase, createTestDatabase } from "../../support/servers/database.ts";
import { startRedisProgram } from "../../support/servers/global-setup-redis.ts";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";
import { hasProgram } from "../../support/servers/programs.ts";

const DEAD = "http://127.0.0.1:1";

let home: string;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "clipmill-doctor-"));
});

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  await rm(home, { recursive: true, force: true });
});

async function doctor(env: Record<string, string>): Promise<(name: string) => Finding | undefined> {
  const findings = await examine(loadCliConfig({ CLIPMILL_HOME: home, ...env }));
  return (name) => findings.find((finding) => finding.name === name);
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("what doctor ticks, it has tried", () => {
  test("a speech server: answering, refusing its key, dead", async () => {
    const seen: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      seen.push(`${request.url} ${request.headers.authorization}`);
      response.writeHead(request.headers.authorization === "Bearer right" ? 200 : 401).end("{}");
    });
    const good = await doctor({ ASR_BASE_URL: `${url}/v1`, ASR_API_KEY: "right" });
    expect(good("speech recognition")).toMatchObject({
      status: "ok",
      found: expect.stringContaining("ASR_BASE_URL answers") as unknown,
    });
    expect(seen).toEqual(["/v1/models Bearer right"]);
    const refused = await doctor({ ASR_BASE_URL: url, ASR_API_KEY: "wrong" });
    expect(refused("ASR_BASE_URL")).toMatchObject({
      status: "missing",
      found: "the server refuses the key",
      advice: "correct ASR_API_KEY",
    });
    expect((await doctor({ ASR_BASE_URL: DEAD }))("ASR_BASE_URL")).toMatchObject({
      status: "missing",
      found: "the server does not answer",
    });
  });

  test("a speech server without a list of models answers all the same", async () => {
    const url = await serve((_request, response) => response.writeHead(404).end());
    expect((await doctor({ ASR_BASE_URL: url }))("speech recognition")?.status).toBe("ok");
  });

  test("the key of the model, by a call that costs nothing", async () => {
    const url = await serve((request, response) =>
      response.writeHead(request.headers["x-api-key"] === "right" ? 200 : 401).end("{}"),
    );
    const status = async (key: string, base = url) =>
      (await doctor({ ANTHROPIC_API_KEY: key, ANTHROPIC_BASE_URL: base }))("ANTHROPIC_API_KEY");
    expect(await status("right")).toMatchObject({ status: "ok" });
    expect(await status("wrong")).toMatchObject({
      status: "missing",
      advice: expect.stringContaining("correct ANTHROPIC_API_KEY") as unknown,
    });
    expect(await status("right", DEAD)).toMatchObject({
      status: "missing",
      found: expect.stringContaining("does not answer") as unknown,
    });
  });

  test("sources: what a list names must be there, and what it leaves out is no matter", async () => {
    const find = await doctor({ POST_SOURCES: "ytdlp", YTDLP_PATH: "/no/such/yt-dlp" });
    expect(find("yt-dlp")).toMatchObject({ status: "missing" });
    expect(find("TIKLIVE_API_KEY")).toBeUndefined();
    expect((await doctor({ POST_SOURCES: "nope" }))("POST_SOURCES")).toMatchObject({
      status: "missing",
      advice: "correct the list",
    });
    expect((await doctor({ CLIPMILL_SANDBOX: "off" }))("sources of posts")?.status).toBe("missing");
  });

  test("the schema, and the workers of each queue", async () => {
    const empty = await createEmptyDatabase();
    closers.push(() => empty.drop());
    expect((await doctor({ DATABASE_URL: empty.url }))("Postgres")).toMatchObject({
      status: "note",
      found: "DATABASE_URL: the database is empty",
      advice: expect.stringContaining("clipmill migrate") as unknown,
    });
    const made = await createTestDatabase();
    closers.push(() => made.drop());
    const find = await doctor({ DATABASE_URL: made.url });
    expect(find("Postgres")).toMatchObject({ status: "ok" });
    expect(find("workers")).toMatchObject({ status: "note", found: "none is alive" });
    const database = createDatabase({ url: made.url, poolSize: 1, name: "test", onError() {} });
    closers.push(() => database.close());
    const registry = createWorkerRegistry(database);
    await registry.report({
      id: "a",
      queues: ["io", "cpu"],
      engines: [],
      slots: { io: 20, cpu: 1 },
    });
    expect((await doctor({ DATABASE_URL: made.url }))("workers")).toMatchObject({
      status: "missing",
      found: "io 20, cpu 1; nobody drains gpu, llm",
      advice: "start a worker with CLIPMILL_QUEUES=gpu,llm",
    });
    await registry.report({
      id: "b",
      queues: ["gpu", "llm"],
      engines: [],
      slots: { gpu: 1, llm: 8 },
    });
    expect((await doctor({ DATABASE_URL: made.url }))("workers")).toMatchObject({ status: "ok" });
  });

  test("what work waits for, and what would help", async () => {
    const made = await createTestDatabase();
    closers.push(() => made.drop());
    const database = createDatabase({ url: made.url, poolSize: 1, name: "test", onError() {} });
    closers.push(() => database.close());
    const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 60_000 };
    await createWorkStore(database, options).accept([toSubmission(newPostId())]);
    expect((await doctor({ DATABASE_URL: made.url }))("queue io")).toMatchObject({
      status: "missing",
      found: "1 work item waits: no running worker drains the queue io",
      advice: expect.stringContaining("clipmill up") as unknown,
    });
  });

  test.skipIf(!hasProgram("redis-server", "--version"))(
    "the role of a Redis (needs redis-server)",
    async () => {
      const server = await startRedisProgram("redis-server", ["--replicaof", "127.0.0.1 1"]);
      closers.push(() => server?.close());
      expect((await doctor({ REDIS_URL: server?.url ?? "" }))("Redis")).toMatchObject({
        status: "missing",
        found: "REDIS_URL: the server is a replica, which takes no writes",
      });
    },
  );
});
