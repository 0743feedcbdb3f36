import { request as httpRequest } from "node:http";
import {
  type Backfill,
  type BackfillStore,
  createBackfillStore,
  createDatabase,
  type Database,
} from "@clipmill/db";
import { hashJson } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { startTestApi } from "../../support/posts/test-api.ts";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";

let testDatabase: TestDatabase;
let database: Database;
let backfills: BackfillStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const onError = () => {};
  database = createDatabase({ url: testDatabase.url, poolSize: 8, name: "test", onError });
  backfills = createBackfillStore(database, { pipelines: toyPipelines });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const toLink = (postId: string) => `https://www.tiktok.com/@toy/video/${postId}`;
const newLinks = (count: number) => Array.from({ length: count }, () => toLink(newPostId()));

interface Sent {
  status: number;
  headers: Record<string, unknown>;
  body: Record<string, unknown> & { id: string; counts: Record<string, number> };
}

/** Over a real connection: bodies are streams, and they break. */
async function send(
  body: string,
  { type = "text/plain", key, query = "" }: { type?: string; key?: string; query?: string } = {},
): Promise<Sent> {
  const { app } = await startTestApi({ backfills });
  const url = new URL(`/v1/backfills${query}`, await app.listen({ host: "127.0.0.1", port: 0 }));
  const headers = {
    "content-type": type,
    ...(key === undefined ? {} : { "idempotency-key": key }),
  };
  const response = await fetch(url, { method: "POST", body, headers });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: (await response.json()) as Sent["body"],
  };
}

/** The requests `r` of the list whose id is `$1`. */
const FROM_LIST = `from request r join backfill b on b.id = $1
  and r.idempotency_key like coalesce(b.number::text, b.id) || '→%'`;

async function countRequests(backfillId: string): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(
    `select count(*) as count ${FROM_LIST}`,
    [backfillId],
  );
  return rows[0]?.count ?? 0;
}

describe("POST /v1/backfills", () => {
  test("stores a list in the backfill lane, and says where to look", async () => {
    const links = newLinks(20);
    const { status, headers, body } = await send(links.join("\n"));
    expect(status).toBe(202);
    expect(headers["location"]).toBe(`/v1/backfills/${body.id}`);
    expect(body).toMatchObject({
      status: "accepted",
      counts: { lines: 20, accepted: 20, duplicates: 0, invalid: 0 },
    });
    const { rows } = await database.pool.query(
      "select lane, state, link from request where link = any ($1) order by id",
      [links],
    );
    // In the order of their ids, which is the list's.
    expect(rows).toEqual(links.map((link) => ({ lane: 3, state: "open", link })));
  });

  test("counts what stands there twice, also in another chunk and under another name, and what is no link", async () => {
    const links = newLinks(2_500);
    const again = [
      links[0],
      links[2_400],
      links[1]?.replace("@toy", "@other"),
      "hello",
      "https://example.com/",
    ];
    const { body } = await send([...links, links[0], ...again].join("\n"));
    expect(body.counts).toEqual({ lines: 2_506, accepted: 2_500, duplicates: 4, invalid: 2 });
    expect(body["invalid"]).toEqual([
      { line: 2_505, reason: expect.stringMatching(/no TikTok link/) },
      { line: 2_506, reason: expect.stringMatching(/example\.com is not a TikTok host/) },
    ]);
    expect(await countRequests(body.id)).toBe(2_500);
  });

  test("shares the work of a post that another list asked for", async () => {
    const [link = ""] = newLinks(1);
    const first = await send(link);
    const second = await send(link);
    expect([first.body.counts["accepted"], second.body.counts["accepted"]]).toEqual([1, 1]);
    const postId = link.split("/").at(-1);
    const { rows } = await database.pool.query("select 1 from stage_job where key = $1", [postId]);
    expect(rows).toHaveLength(1);
  });

  test("takes NDJSON and CSV", async () => {
    const [a = "", b = ""] = newLinks(2);
    const json = [JSON.stringify(a), JSON.stringify({ url: b }), "{}"].join("\n");
    expect((await send(json, { type: "application/x-ndjson" })).body.counts).toMatchObject({
      accepted: 2,
      invalid: 1,
    });
    const csv = `title,url\n"x\ny",${a}\n`;
    expect((await send(csv, { type: "text/csv; charset=utf-8" })).body.counts).toMatchObject({
      accepted: 1,
    });
  });

  test("accepts what is below its options, and what is above no body limit", async () => {
    const padding = "x".repeat(9_000);
    const lines = newLinks(20).map((link) => `${padding} ${link}`);
    const { status, body } = await send(lines.join("\n"), {
      query: "?outputs=transcript&language=en&fresh=true",
    });
    expect({ status, counts: body.counts }).toMatchObject({
      status: 202,
      counts: { accepted: 20 },
    });
    const { rows } = await database.pool.query(
      `select distinct o.outputs, o.language, o.fresh ${FROM_LIST} join request_options o on o.id = r.options_id`,
      [body.id],
    );
    expect(rows).toEqual([{ outputs: ["transcript"], language: "en", fresh: true }]);
  });

  test.each([
    ["a form", "application/x-www-form-urlencoded", "", 415],
    ["an unknown output", "text/plain", "?outputs=video", 400],
    ["no output", "text/plain", "?outputs=", 400],
    ["a freshness that is neither true nor false", "text/plain", "?fresh=1", 400],
    ["an unknown option", "text/plain", "?lane=interactive", 400],
  ])("refuses %s", async (_what, type, query, status) => {
    expect(await send("x", { type, query })).toMatchObject({ status });
  });

  test("says what is wrong with a CSV, and leaves the list to be sent again", async () => {
    const { status, body } = await send("name\nx\n", { type: "text/csv", key: "bad-csv" });
    expect({ status, code: body["code"] }).toEqual({ status: 400, code: "invalid_request" });
    const [link] = newLinks(1);
    const again = await send(`url\n${link}\n`, { type: "text/csv", key: "bad-csv" });
    expect(again).toMatchObject({ status: 202, body: { counts: { lines: 1, accepted: 1 } } });
  });
});

describe("an idempotency key", () => {
  test("answers a list that was taken in before, without taking it again", async () => {
    const [link = ""] = newLinks(1);
    const first = await send(link, { key: "once" });
    const second = await send(link, { key: "once" });
    expect(second).toMatchObject({ status: 200, headers: { "idempotent-replayed": "true" } });
    expect(second.body).toEqual(first.body);
  });

  test.each(["?language=de", "?fresh=true"])("refuses other options: %s", async (query) => {
    const key = `fixed${query}`;
    await send("x", { key });
    expect(await send("x", { key, query })).toMatchObject({
      status: 422,
      body: { code: "idempotency_conflict" },
    });
  });

  test("goes on with a list that was begun before options could say fresh", async () => {
    const before = hashJson({ outputs: ["transcript", "summary"], language: null });
    const list = { tenant: "local", idempotencyKey: "before-fresh", optionsHash: before };
    const { id } = await backfills.begin(list);
    const sent = await send(newLinks(1).join(), { key: "before-fresh", query: "?fresh=false" });
    expect(sent).toMatchObject({ status: 202, body: { id } });
  });

  test("knows the posts of a list that was begun before lists had numbers", async () => {
    const list = { tenant: "local", idempotencyKey: "unnumbered", optionsHash: "x" };
    const { id } = await backfills.begin(list);
    await database.pool.query("update backfill set number = null where id = $1", [id]);
    const post = toSubmission(newPostId());
    let taken = await backfills.begin(list);
    for (const postId of [post.postId, newPostId(), post.postId]) {
      const chunk = { submissions: [{ ...post, postId }], invalidCount: 0 };
      taken = await backfills.append(taken, backfills.prepare(taken, chunk));
    }
    expect(taken).toMatchObject({ number: null, acceptedCount: 2, duplicateCount: 1 });
    expect(await countRequests(id)).toBe(2);
  });

  test("lets a second upload under way store nothing", async () => {
    const list = { tenant: "local", idempotencyKey: "twice", optionsHash: "x" };
    const [mine, theirs] = [await backfills.begin(list), await backfills.begin(list)];
    expect(mine.id).toBe(theirs.id);
    const toChunk = () =>
      backfills.prepare(mine, { submissions: [toSubmission(newPostId())], invalidCount: 0 });
    const moved = await backfills.append(mine, toChunk());
    const conflict = expect.objectContaining({ code: "idempotency_conflict" }) as Error;
    await expect(backfills.append(theirs, toChunk())).rejects.toThrow(conflict);
    await expect(backfills.end(theirs, "interrupted")).rejects.toThrow(conflict);
    expect(await countRequests(mine.id)).toBe(1);
    expect(await backfills.end(moved, "accepted")).toMatchObject({
      state: "accepted",
      lineCount: 1,
    });
    await expect(backfills.append(moved, toChunk())).rejects.toThrow(conflict);
  });
});

describe("an upload that breaks off", () => {
  test("keeps what was committed, says how much, and goes on where it stopped", async () => {
    const links = newLinks(5_000);
    const { app } = await startTestApi({ backfills });
    const url = new URL("/v1/backfills", await app.listen({ host: "127.0.0.1", port: 0 }));
    const headers = { "content-type": "text/plain", "idempotency-key": "broken" };
    const upload = httpRequest(url, { method: "POST", headers });
    upload.on("error", () => {});
    upload.write(links.slice(0, 3_000).join("\n"));
    await until(({ lineCount }) => lineCount === 3_000 - 1_000);
    upload.destroy();
    const left = await until(({ state }) => state === "interrupted");
    expect(left).toMatchObject({ lineCount: 2_000, acceptedCount: 2_000, duplicateCount: 0 });

    const { status, body } = await send(links.join("\n"), { key: "broken" });
    expect({ status, id: body.id }).toEqual({ status: 202, id: left.id });
    expect(body.counts).toEqual({ lines: 5_000, accepted: 5_000, duplicates: 0, invalid: 0 });
    expect(await countRequests(left.id)).toBe(5_000);
  });

  async function until(isReached: (backfill: Backfill) => boolean): Promise<Backfill> {
    for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
      const { rows } = await database.pool.query<{ id: string }>(
        "select id from backfill where idempotency_key = 'broken'",
      );
      const found = await backfills.find(rows[0]?.id ?? "");
      if (found !== null && isReached(found)) return found;
    }
    throw new Error("the backfill never got there");
  }
});

describe("GET /v1/backfills/:id", () => {
  test("shows how much is stored", async () => {
    const { body } = await send(newLinks(2).join("\n"));
    const { app } = await startTestApi({ backfills });
    expect((await app.inject(`/v1/backfills/${body.id}`)).json()).toEqual(body);
  });

  test.each(["x", "bf_00000000000000000000000000", "bf_%00"])("answers %s with 404", async (id) => {
    const { app } = await startTestApi({ backfills });
    expect((await app.inject(`/v1/backfills/${id}`)).statusCode).toBe(404);
  });
});
