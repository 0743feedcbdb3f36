import { createDatabase, createDeadLetter, type Database } from "@clipmill/db";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTestApi, type TestApi } from "../../support/posts/test-api.ts";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";

const URL_FIELD = '"url":"7000000000000000001"';

/** JSON that other programs choke on, whole or as a part of an otherwise good body. */
const NASTY = [
  "",
  " ",
  "null",
  "[]",
  "0",
  '"text"',
  "{",
  '{"url":',
  "\u0000",
  "\ufeff",
  "[".repeat(30_000),
  "[".repeat(70_000),
  `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  '{"a":'.repeat(10_000),
  `{"filter":${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}}`,
  '{"__proto__":{"url":"7000000000000000001"}}',
  '{"constructor":{"prototype":{"x":1}},"url":"x"}',
  `{${URL_FIELD},"__proto__":null}`,
  `{${URL_FIELD},${URL_FIELD},"url":"\\u0000"}`,
  '{"url":"\\u0000"}',
  '{"url":"https://www.tiktok.com/@a\\u0000/video/7000000000000000001"}',
  '{"url":"\\ud800"}',
  '{"url":"https://www.tiktok.com/@\\udfff/video/7000000000000000001"}',
  '{"url":"\\u202ehttps://www.tiktok.com/"}',
  '{"url":1e400}',
  '{"url":7000000000000000001}',
  '{"url":{"toString":"x"}}',
  '{"url":[]}',
  `{"url":"${"a".repeat(5_000)}"}`,
  `{${URL_FIELD},"language":"\\u0000"}`,
  `{${URL_FIELD},"language":"${"a-".repeat(5_000)}!"}`,
  `{${URL_FIELD},"outputs":[]}`,
  `{${URL_FIELD},"outputs":["__proto__"]}`,
  `{${URL_FIELD},"outputs":${JSON.stringify(Array.from({ length: 500 }, () => "summary"))}}`,
  `{${URL_FIELD},"lane":"constructor"}`,
  `{${URL_FIELD},"deadline":"2026-02-31T00:00:00Z"}`,
  `{${URL_FIELD},"deadline":"99999-01-01T00:00:00Z"}`,
  `{${URL_FIELD},"deadline":"+275760-09-13T00:00:00.001Z"}`,
  `{${URL_FIELD},"deadline":"2026-01-01T00:00:00+99:99"}`,
  `{${URL_FIELD},"deadline":1e308}`,
  `{${URL_FIELD},"fresh":"true"}`,
  '{"ids":[]}',
  '{"ids":[-1]}',
  '{"ids":[1.5]}',
  '{"ids":[1e300]}',
  '{"ids":[9007199254740993]}',
  '{"ids":[9007199254740991]}',
  '{"ids":["1"]}',
  '{"filter":{"code":"__proto__"}}',
  '{"filter":{"stage":"\\u0000"}}',
  '{"filter":{"stage":"\\ud800"}}',
  '{"filter":{"tenant":"x","failed_before":"2026-02-31T00:00:00Z"}}',
  '{"filter":{"failed_after":"0000-01-01T00:00:00Z"}}',
  '{"filter":{},"limit":1e9}',
  '{"filter":{},"limit":"1"}',
];

const HEADERS: Record<string, string>[] = [
  {},
  { "idempotency-key": `"${"\\\\".repeat(120)}` },
  { "idempotency-key": "k".repeat(4_000) },
  { prefer: "wait=99999999999999999999" },
  { prefer: "wait ".repeat(1_000) },
  { "content-type": "application/json; charset=utf-16" },
  { "content-type": "text/plain" },
  { "content-type": "x" },
  { "content-encoding": "gzip" },
  { "content-encoding": "gzip, gzip" },
  { "request-id": "../../etc" },
];

/** Over a real database where values reach one: it refuses what JavaScript lets pass. */
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
const start = (): Promise<TestApi> => startTestApi({ dead: createDeadLetter(database) });

it("no body and no header makes a request fail on our side", async () => {
  const { app, logged } = await start();
  const routes = ["/v1/jobs", "/v1/dead/retry", "/v1/dead/drop", "/v1/jobs/x/cancel", "/v1/none"];
  const statuses = new Set<number>();
  const bodies = NASTY.map((payload) => ({ payload, headers: {} }));
  const good = [`{${URL_FIELD}}`, '{"filter":{}}'];
  const headed = good.flatMap((payload) => HEADERS.map((headers) => ({ payload, headers })));
  for (const url of routes) {
    for (const { payload, headers } of [...bodies, ...headed]) {
      const type = { "content-type": "application/json" };
      const answer = await app.inject({
        method: "POST",
        url,
        payload,
        headers: { ...type, ...headers },
      });
      statuses.add(answer.statusCode);
      if (answer.statusCode >= 500) {
        throw new Error(`${url} ${payload.slice(0, 200)}: ${answer.body}`);
      }
      if (answer.statusCode >= 400) {
        expect(answer.json()).toMatchObject({ code: expect.any(String), retryable: false });
      }
    }
  }
  expect([...statuses]).toEqual(expect.arrayContaining([200, 202, 400, 404, 413, 415, 422]));
  expect(logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

const toCursor = (text: string) => Buffer.from(text).toString("base64url");

it.each([
  ["a day that is none", toCursor("2026-02-31T10:00:00.000000+00:00 7")],
  ["29 February of another year", toCursor("2025-02-29T10:00:00.000000+00:00 7")],
  ["an hour that is none", toCursor("2026-02-01T25:00:00.000000+00:00 7")],
  ["a minute that is none", toCursor("2026-02-01T10:99:00.000000+00:00 7")],
  ["times that are none", toCursor("2026-02-01T:.:.:.:.+00:00 7")],
  ["an offset that is none", toCursor("2026-02-01T10:00:00.000000+00:99 7")],
  ["another year", toCursor("0000-01-01T00:00:00.000000+00:00 7")],
  ["a number that is too large", toCursor("2026-02-01T10:00:00.000000+00:00 99999999999999999999")],
  ["a NUL", toCursor("2026-02-01T10:00:00.000000+00:00 7\u0000")],
  ["nothing", toCursor("")],
  ["no cursor", "\u0000"],
])("a cursor with %s is refused", async (_what, cursor) => {
  const { app } = await start();
  const answer = await app.inject({ url: "/v1/dead", query: { cursor } });
  expect(answer.statusCode).toBe(400);
});

it.each([
  "failed_before=2026-02-31T00:00:00Z",
  "failed_after=2025-02-29T00:00:00%2B01:00",
  "failed_before=yesterday",
  "failed_before=%00",
  "stage=%00",
  "limit=1e9",
  "limit=-1",
  "limit=NaN",
  "code=constructor",
  "__proto__=1",
  "stage=a&stage=b",
])("a query with %s is refused", async (query) => {
  const { app } = await start();
  expect((await app.inject(`/v1/dead?${query}`)).statusCode).toBe(400);
});

it("a good cursor is taken, also of a leap day", async () => {
  const { app } = await start();
  const cursor = toCursor("2028-02-29T10:00:00.123456+00:00 7");
  expect((await app.inject({ url: "/v1/dead", query: { cursor } })).statusCode).toBe(200);
});

it.each([
  "/v1/jobs/%00",
  "/v1/posts/%00",
  "/v1/dead/%00",
  "/v1/backfills/%ED%A0%80",
  "/v1/dead/1e3",
  "/jobs/%00",
  "/v1/posts/constructor",
  `/v1/jobs/${"a".repeat(5_000)}`,
])("a path with nonsense is no fault of ours: %s", async (url) => {
  const { app } = await start();
  const { statusCode } = await app.inject(url);
  expect(statusCode).toBeGreaterThanOrEqual(400);
  expect(statusCode).toBeLessThan(500);
});
