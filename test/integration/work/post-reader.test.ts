import { createDatabase, createPostReader } from "@clipmill/db";
import { PostResult } from "@clipmill/domain";
import { expect, onTestFinished, test } from "vitest";
import { createTestDatabase } from "../../support/servers/database.ts";
import { FIRST, HOSTILE, SECOND, storePosts, UNKNOWN } from "../../support/work/stored-posts.ts";

/** A reader on one connection, and two posts with all that a result is made of. */
async function startReader() {
  const { url, drop } = await createTestDatabase();
  const database = createDatabase({ url, poolSize: 1, name: "test", onError() {} });
  onTestFinished(async () => {
    await database.close();
    await drop();
  });
  const run = (text: string, ...values: unknown[]) => database.pool.query(text, values);
  await storePosts(database);
  return { database, run, reader: createPostReader(database) };
}

test("posts that are asked for together get their own results, in the public shape", async () => {
  const { reader } = await startReader();
  const ids = [SECOND, UNKNOWN, FIRST, SECOND];
  const [second, unknown, first, again] = await Promise.all(ids.map(reader.find));
  expect(unknown).toBeNull();
  expect(first?.result).toMatchObject({
    aweme_id: FIRST,
    transcript: `words of ${FIRST} ${HOSTILE}`,
  });
  expect(second?.result).toMatchObject({
    aweme_id: SECOND,
    transcript: `words of ${SECOND} ${HOSTILE}`,
    segments: [{ start: 0.25, end: 8, text: HOSTILE }],
  });
  expect(again).toEqual(second);
  expect(PostResult.parse(first?.result)).toEqual(first?.result);
});

test("a version is that of its result, and stays while nothing changes", async () => {
  const { reader } = await startReader();
  const [first, second, unknown] = await Promise.all(
    [FIRST, SECOND, UNKNOWN].map(reader.findVersion),
  );
  expect(unknown).toBeNull();
  expect(second).not.toBe(first);
  expect((await reader.find(FIRST))?.version).toBe(first);
  expect(await reader.findVersion(FIRST)).toBe(first);
});

test.each([
  ["the post", "update post set author_unique_id = 'ada' where post_id = $1", { author: "ada" }],
  [
    "its counters",
    "insert into engagement (post_id, plays) values ($1, 41)",
    { engagement: { plays: 41 } },
  ],
  ["its transcript", "delete from transcript where key = 't' || $1", { transcript: "" }],
  [
    "which transcript is its own",
    `update post set transcript_key = 't${SECOND}' where post_id = $1`,
    { transcript: `words of ${SECOND} ${HOSTILE}` },
  ],
  ["its screen text", "delete from screen_text where key = 's' || $1", { ocr: [] }],
  ["its answer", "delete from answer where key = 'a' || $1", { summary: null }],
  ["its media", "update media set duration_ms = 9000 where sha256 = 'm' || $1", { duration: 9 }],
])("a change of %s is read at once, and is a new version", async (_what, change, changed) => {
  const { reader, run } = await startReader();
  const before = await reader.find(FIRST);
  expect(before?.result).not.toMatchObject(changed);
  await run(change, FIRST);
  const after = await reader.find(FIRST);
  expect(after?.result).toMatchObject(changed);
  expect(after?.version).not.toBe(before?.version);
  expect(await reader.findVersion(FIRST)).toBe(after?.version);
});

test.each([
  ["of another shape", `'{"headline": "of another version"}'`],
  ["that would break whoever reads it", "'null'"],
])("an answer %s is left out with a warning, and the rest is still there", async (_what, body) => {
  const { reader, run } = await startReader();
  const before = (await reader.find(FIRST))?.result;
  expect(before?.summary).not.toBeNull();
  await run(`update answer set body = ${body}::jsonb`);
  const now = (await reader.find(FIRST))?.result;
  expect(now).toEqual({
    ...before,
    summary: null,
    sources: [],
    warnings: [
      {
        stage: "summarize",
        code: "internal",
        message: "what is stored cannot be read by this version",
      },
    ],
  });
  expect(PostResult.safeParse(now).success).toBe(true);
});

test("a post that is deleted is gone at once", async () => {
  const { reader, run } = await startReader();
  await reader.find(FIRST);
  await run("delete from post where post_id = $1", FIRST);
  expect(await reader.find(FIRST)).toBeNull();
  expect(await reader.findVersion(FIRST)).toBeNull();
});

test("reads are planned once, however many are asked for together", async () => {
  const { database, reader } = await startReader();
  for (let count = 0; count < 12; count++) {
    const ids = [FIRST, SECOND, UNKNOWN].slice(0, 1 + (count % 3));
    await Promise.all(ids.map(reader.find));
    await Promise.all(ids.map(reader.findVersion));
  }
  const { rows } = await database.pool.query(
    "select name, generic_plans from pg_prepared_statements where name like 'find_post%' order by name",
  );
  // Left to itself Postgres would plan the first five for their values (`plan_cache_mode`).
  expect(rows).toEqual([
    { name: "find_post_versions", generic_plans: 12 },
    { name: "find_posts", generic_plans: 12 },
  ]);
});
