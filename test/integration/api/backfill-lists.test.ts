import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import {
  type BackfillStore,
  createBackfillStore,
  createDatabase,
  type Database,
  MAX_INVALID_LINES,
} from "@clipmill/db";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { casePath, hasCases } from "../../support/cases.ts";
import { startTestApi } from "../../support/posts/test-api.ts";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { newPostId, toyPipelines } from "../../support/work/toy-pipeline.ts";

let testDatabase: TestDatabase;
let database: Database;
let backfills: BackfillStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const onError = () => {};
  database = createDatabase({ url: testDatabase.url, poolSize: 4, name: "test", onError });
  backfills = createBackfillStore(database, { pipelines: toyPipelines });
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

interface Sent {
  status: number;
  headers: Headers;
  body: Record<string, unknown> & {
    id: string;
    counts: Record<string, number>;
    invalid?: { line: number; reason: string }[];
  };
}

async function listen(): Promise<string> {
  const { app } = await startTestApi({ backfills });
  return app.listen({ host: "127.0.0.1", port: 0 });
}

async function send(body: string | Buffer, headers: Record<string, string> = {}): Promise<Sent> {
  const response = await fetch(`${await listen()}/v1/backfills`, {
    method: "POST",
    body: new Uint8Array(Buffer.from(body)),
    headers,
  });
  const { status, headers: answered } = response;
  return { status, headers: answered, body: (await response.json()) as Sent["body"] };
}

const newLinks = (count: number) =>
  Array.from({ length: count }, () => `https://www.tiktok.com/@toy/video/${newPostId()}`);
const PLAIN = { "content-type": "text/plain" };

describe("a compressed list", () => {
  test.each([
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
    ["identity", (text: string) => Buffer.from(text)],
    ["GZIP", gzipSync],
  ] as const)("is unpacked: %s", async (encoding, compress) => {
    const list = compress(newLinks(50).join("\r\n"));
    const { status, body } = await send(list, { ...PLAIN, "content-encoding": encoding });
    expect({ status, counts: body.counts }).toMatchObject({
      status: 202,
      counts: { lines: 50, accepted: 50, invalid: 0 },
    });
  });

  test("is refused where its encoding is not known, with those that are", async () => {
    const { status, headers, body } = await send("x", { ...PLAIN, "content-encoding": "compress" });
    expect({ status, detail: body["detail"] }).toEqual({
      status: 415,
      detail: expect.stringMatching(/gzip, deflate, br, zstd/),
    });
    expect(headers.get("accept-encoding")).toBe("gzip, deflate, br, zstd");
  });

  test.each([
    ["is not compressed at all", Buffer.from("https://www.tiktok.com/"), /not compressed that way/],
    ["is cut off", gzipSync("x".repeat(9_000)).subarray(0, 20), /cut off/],
    ["is a bomb", gzipSync(Buffer.alloc(60_000_000, 10)), /200 times its size/],
  ])("that %s is refused, and the caller is told", async (_what, list, words) => {
    const { status, body } = await send(list, { ...PLAIN, "content-encoding": "gzip" });
    expect({ status, detail: body["detail"] }).toEqual({
      status: 400,
      detail: expect.stringMatching(words),
    });
  });

  test("is accepted wherever bodies are, within the limit of the route", async () => {
    const { app, fake } = await startTestApi();
    const post = (payload: Buffer) =>
      app.inject({
        method: "POST",
        url: "/v1/jobs",
        headers: { "content-type": "application/json", "content-encoding": "gzip" },
        payload,
      });
    expect((await post(gzipSync(JSON.stringify({ url: newLinks(1)[0] })))).statusCode).toBe(202);
    expect(fake.submissions).toHaveLength(1);
    expect((await post(gzipSync(" ".repeat(10_000_000)))).statusCode).toBe(413);
    expect((await post(Buffer.from("{}"))).statusCode).toBe(400);
  });
});

describe("what is no link", () => {
  test("is named by line and reason, the first hundred of it, and by whoever asks later", async () => {
    const [first = "", last = ""] = newLinks(2);
    const lines = [first, ...Array.from({ length: 250 }, (_, n) => `nothing ${n}`), last];
    const { status, body } = await send(lines.join("\n"), PLAIN);
    expect({ status, counts: body.counts }).toMatchObject({
      status: 202,
      counts: { lines: 252, accepted: 2, invalid: 250 },
    });
    expect(body.invalid).toHaveLength(MAX_INVALID_LINES);
    expect(body.invalid?.[0]).toEqual({ line: 2, reason: expect.stringMatching(/no TikTok link/) });
    expect(body.invalid?.at(-1)?.line).toBe(MAX_INVALID_LINES + 1);
    const later = await fetch(`${await listen()}/v1/backfills/${body.id}`);
    expect(await later.json()).toEqual(body);
  });

  test("is named across chunks, and not named again by an upload that goes on", async () => {
    const lines = newLinks(2_400).flatMap((link, n) =>
      n % 1_200 === 0 ? ["no link", link] : [link],
    );
    const list = { tenant: "local", idempotencyKey: "named", optionsHash: "" };
    const { body } = await send(lines.join("\n"), {
      ...PLAIN,
      "idempotency-key": list.idempotencyKey,
    });
    expect(body.invalid?.map(({ line }) => line)).toEqual([1, 1_202]);
    const again = await send(lines.join("\n"), {
      ...PLAIN,
      "idempotency-key": list.idempotencyKey,
    });
    expect(again).toMatchObject({ status: 200, body: { invalid: body.invalid } });
  });

  test.each([
    ["application/x-www-form-urlencoded", "url=x", 415],
    ["text/html", "<html></html>", 415],
    ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK\u0003\u0004", 415],
    ["text/plain", "PK\u0003\u0004xl/workbook.xml", 415],
    ["text/csv", "<!doctype html><table></table>", 415],
    ["text/plain; charset=ebcdic", "x", 415],
    ["nonsense", "x", 415],
    ["text/csv", 'url\n"x\n', 400],
    ["text/csv", "a,b\nx,y\n", 400],
  ])("%s with %j is refused, and what is accepted is said", async (type, list, status) => {
    const sent = await send(list, { "content-type": type });
    expect(sent.status).toBe(status);
    const words = status === 415 ? /text\/plain.*text\/csv.*ndjson/ : /line/;
    expect(sent.body["detail"]).toMatch(words);
    expect(sent.body["code"]).toBe("invalid_request");
  });

  test("a refusal reaches a caller that is still sending", async () => {
    const head =
      "POST /v1/backfills HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n";
    const { port } = new URL(await listen());
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(`${head}%PDF-1.7${" ".repeat(2_000)}`);
    const [answer] = await new Promise<Buffer[]>((done, fail) => {
      socket.once("data", (data: Buffer) => done([data]));
      socket.once("error", fail);
    });
    expect(String(answer)).toMatch(/^HTTP\/1\.1 415 /);
    socket.destroy();
  });

  test("no body at all is an empty list", async () => {
    const answer = await fetch(`${await listen()}/v1/backfills`, { method: "POST" });
    expect(answer.status).toBe(202);
    expect(await answer.json()).toMatchObject({ counts: { lines: 0 } });
  });
});

/** The folder, the file, its type, and the counts and line numbers that are right. */
const CASES: [name: string, file: string, type: string, accepted: number, invalid: number[]][] = [
  ["24-csv-quote-500", "quotes.csv", "text/csv", 5, []],
  ["24-csv-quote-500", "quotes2.csv", "text/csv", 5, []],
  ["25-cr-lines", "cr.txt", "text/plain", 5, []],
  ["25-cr-lines", "oneline.txt", "text/plain", 5, []],
  ["25-cr-lines", "cr.csv", "text/csv", 5, []],
  ["26-utf16", "u16.txt", "text/plain", 5, []],
  ["26-utf16", "u16.txt", "text/plain; charset=utf-16", 5, []],
  ["26-utf16", "u16.csv", "text/csv", 5, []],
  ["28-csv-dialects", "semi.csv", "text/csv", 5, []],
  ["28-csv-dialects", "sep.csv", "text/csv", 5, []],
  ["28-csv-dialects", "link.csv", "text/csv", 5, []],
  ["45-backfill-invalid-unnamed", "mixed.txt", "text/plain", 2, [3, 4]],
  ["45-backfill-invalid-unnamed", "sci.csv", "text/csv", 3, [2, 3]],
  ["52-csv-multiline", "nl.csv", "text/csv", 2, []],
  ["52-csv-multiline", "bom.ndjson", "application/x-ndjson", 5, []],
  ["52-csv-multiline", "latin1.csv", "text/csv", 1, []],
];

describe.skipIf(!hasCases)("lists that people have (needs ../shared/cases)", () => {
  test.each(CASES)("%s/%s as %s", async (name, file, type, accepted, invalid) => {
    const sent = await send(readFileSync(casePath(name, file)), { "content-type": type });
    expect(sent.status).toBe(202);
    expect(sent.body.counts["accepted"]! + sent.body.counts["duplicates"]!).toBe(accepted);
    expect((sent.body.invalid ?? []).map(({ line }) => line)).toEqual(invalid);
  });

  test("27-gzip-body, with its header and without", async () => {
    const file = readFileSync(casePath("27-gzip-body", "crlf.txt.gz"));
    for (const headers of [PLAIN, { ...PLAIN, "content-encoding": "gzip" }]) {
      const { status, body } = await send(file, headers);
      expect(status).toBe(202);
      expect(body.counts["accepted"]).toBeGreaterThan(0);
      expect(body.invalid).toBeUndefined();
    }
  });
});
