import { createDatabase, createListener, createRequestReader, createWorkStore } from "@clipmill/db";
import { pipelines } from "@clipmill/pipeline";
import { expect, onTestFinished, test } from "vitest";
import { createTestDatabase } from "../../support/servers/database.ts";
import { FIRST, HOSTILE, SECOND, storePosts, UNKNOWN } from "../../support/work/stored-posts.ts";

/** A reader on one connection, and two posts with all that a result is made of. */
async function startReader() {
  const { url, drop } = await createTestDatabase();
  const onError = () => {};
  const database = createDatabase({ url, poolSize: 1, name: "test", onError });
  const listener = createListener({ url, onError });
  onTestFinished(async () => {
    await listener.close();
    await database.close();
    await drop();
  });
  await storePosts(database);
  return { database, reader: createRequestReader(database, listener) };
}

async function accept({ database }: Awaited<ReturnType<typeof startReader>>, postId: string) {
  const work = createWorkStore(database, {
    pipelines,
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });
  const [accepted] = await work.accept([
    {
      tenant: "local",
      link: `https://www.tiktok.com/@ada/video/${postId}`,
      postId,
      outputs: ["transcript"],
      recipes: { source: ["ytdlp"], asr: [], ocr: [], llm: [] },
      lane: "standard",
      deadline: null,
      idempotencyKey: null,
      language: null,
    },
  ]);
  if (accepted === undefined) throw new Error("not accepted");
  return accepted.requestId;
}

test("requests that are asked for together are each answered as they are: open, done, unknown", async () => {
  const started = await startReader();
  const { database, reader } = started;
  const [open, done] = [await accept(started, UNKNOWN), await accept(started, FIRST)];
  await database.pool.query(
    `with job as (
       update stage_job j set state = 'done', run_at = null, started_at = now() - interval '2 s', finished_at = now()
       from request_stage_job l where l.stage_job_id = j.id and l.request_id = $1
       returning j.id),
     paid as (
       insert into cost_entry (stage_job_id, epoch, engine, state, usd)
       select id, 1, 'ytdlp', 'settled', 0.000000125 from job)
     update request set state = 'done', finished_at = now(), transcript_key = $2 where id = $1`,
    [done, `t${FIRST}`],
  );
  const ids = [done, "job_01K00000000000000000000000", open];
  const [ended, unknown, running] = await Promise.all(ids.map(reader.findRequest));
  expect(unknown).toBeNull();
  expect(running).toMatchObject({
    id: open,
    state: "queued",
    postId: UNKNOWN,
    cost: null,
    stages: [{ name: "download", state: "ready", attempts: 0 }],
    result: null,
  });
  expect(ended).toMatchObject({
    id: done,
    state: "done",
    postId: FIRST,
    cost: { usd: 0.000000125, by_stage: { download: 0.000000125 } },
    stages: [{ name: "download", state: "done" }],
    result: {
      transcript: `words of ${FIRST} ${HOSTILE}`,
      cost: { usd: 0.000000125, by_stage: { download: 0.000000125 } },
      timings_ms: { download: 2_000 },
    },
  });
});

test("what failed says what it cost all the same", async () => {
  const started = await startReader();
  const { database, reader } = started;
  const id = await accept(started, FIRST);
  await database.pool.query(
    `with job as (
       update stage_job j set state = 'failed', run_at = null, started_at = now(), finished_at = now(), error_code = 'timeout'
       from request_stage_job l where l.stage_job_id = j.id and l.request_id = $1
       returning j.id),
     paid as (
       insert into cost_entry (stage_job_id, epoch, engine, state, usd)
       select id, epoch, 'ytdlp', 'unknown', 0.002 from job, generate_series(1, 2) as epoch)
     update request set state = 'failed', finished_at = now(), failed_stage = 'download', error_code = 'timeout'
     where id = $1`,
    [id],
  );
  expect(await reader.findRequest(id)).toMatchObject({
    state: "failed",
    result: null,
    failure: { code: "timeout", stage: "download" },
    cost: { usd: 0.004, by_stage: { download: 0.004 } },
  });
});

test("reads are planned once, however many are asked for together", async () => {
  const { database, reader } = await startReader();
  for (let count = 0; count < 12; count++) {
    const ids = [FIRST, SECOND, UNKNOWN].slice(0, 1 + (count % 3));
    await Promise.all(ids.map((id) => reader.findRequest(`job_0000000${id}`)));
  }
  const { rows } = await database.pool.query(
    "select generic_plans from pg_prepared_statements where name = 'find_requests'",
  );
  // Left to itself Postgres would plan the first five for their values (`plan_cache_mode`).
  expect(rows).toEqual([{ generic_plans: 12 }]);
});
