import { createBackfillStore } from "@clipmill/db";
import { sha256 } from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import { expect, test } from "vitest";
import { findBalances } from "../../support/work/credit-books.ts";
import {
  FILE,
  OWN_FILE,
  RECIPES,
  SANDBOX_RECIPES,
  toPostId,
  toSubmission,
} from "../../support/work/upgrade-submissions.ts";
import { openUpgradedDatabase } from "../../support/work/upgraded-database.ts";

// A change that gives a stage another key, such as a new prompt version, makes its result anew: only then does this
// one have to expect that stage's jobs, and theirs alone.
test("a stored post that is asked for anew is complete on arrival, and nothing is paid again", async () => {
  const upgraded = await openUpgradedDatabase();
  const { work, rows } = upgraded;
  const takeWork = () =>
    rows(`select j.id, j.state, j.epoch, j.finished_at, count(c.id) as calls
      from stage_job j left join cost_entry c on c.stage_job_id = j.id group by j.id order by j.id`);
  const before = await takeWork();
  const credited = { tenant: "acme", credits: 3 };
  const accepted = await work.accept([
    toSubmission(1, credited),
    toSubmission(1, { ...credited, outputs: ["transcript"] }),
    toSubmission(2, { recipes: SANDBOX_RECIPES }),
    toSubmission(3, credited),
    toSubmission(4, credited),
    toSubmission(42, { ...credited, lane: "backfill" }),
    toSubmission(0, OWN_FILE),
    toSubmission(0, {
      postId: null,
      link: "https://vm.tiktok.com/ZM0ours02/",
      recipes: SANDBOX_RECIPES,
    }),
  ]);
  expect(accepted.map(({ created, state }) => `${created} ${state}`)).toEqual(
    accepted.map(() => "true done"),
  );
  expect(await takeWork()).toEqual(before);
  expect(await findBalances(upgraded)).toEqual(upgraded.recorded.balances);
});

test("an end that does not bind is looked up again: gone, not served here, unread, a poorer engine's", async () => {
  const { work, rows } = await openUpgradedDatabase();
  await rows(
    "insert into worker_process (id, queues, engines) values ('new', '{gpu}', '{openai:whisper-1}')",
  );
  const accepted = await work.accept([
    toSubmission(9),
    toSubmission(5),
    toSubmission(3, { recipes: { ...RECIPES, ocr: ["tesseract:fra"] } }),
    toSubmission(0, OWN_FILE),
  ]);
  expect(accepted.map(({ state }) => state)).toEqual(["open", "open", "open", "open"]);
  const again = await rows<{ step: string }>(
    `select r.post_id || ' ' || j.stage as step from request r
     join request_stage_job l on l.request_id = r.id join stage_job j on j.id = l.stage_job_id
     where r.id = any ($1) and j.state = 'ready' order by r.id`,
    [accepted.map(({ requestId }) => requestId)],
  );
  expect(again.map(({ step }) => step)).toEqual([
    `${toPostId(9)} download`,
    `${toPostId(5)} download`,
    `${toPostId(3)} read-screen`,
    `${FILE} transcribe`,
  ]);
});

test("a key that was used before the upgrade names its request, and with another body is a conflict", async () => {
  const { work, findRequests } = await openUpgradedDatabase();
  const requests = await findRequests();
  const done = { idempotencyKey: "done", tenant: "acme", credits: 3 };
  const accepted = await work.accept([
    toSubmission(1, done),
    toSubmission(4, done),
    toSubmission(20, { idempotencyKey: "open-hinted" }),
    toSubmission(2, { idempotencyKey: "open-fresh", fresh: true }),
  ]);
  const toOld = (key: string, state: string) => ({
    requestId: requests.get(key)?.id,
    created: false,
    state,
  });
  expect(accepted).toEqual([
    toOld("done", "done"),
    toOld("done", "conflict"),
    toOld("open-hinted", "open"),
    toOld("open-fresh", "open"),
  ]);
});

test("lists that were half accepted go on where they broke off, without a double", async () => {
  const { database, rows } = await openUpgradedDatabase();
  const lists = createBackfillStore(database, { pipelines });
  const begin = (key: string, options: string) =>
    lists.begin({ tenant: "acme", idempotencyKey: key, optionsHash: sha256(options) });
  const append = (list: Awaited<ReturnType<typeof begin>>, ...places: number[]) => {
    const submissions = places.map((place) =>
      toSubmission(place, { tenant: "acme", lane: "backfill" }),
    );
    return lists.append(list, lists.prepare(list, { submissions, invalidCount: 0 }));
  };
  const half = await begin("list-accepting", "all");
  expect(half).toMatchObject({ state: "accepting", lineCount: 4, number: 1 });
  const whole = await lists.end(await append(half, 41, 45), "accepted");
  const ended = { state: "accepted", lineCount: 6, acceptedCount: 3, duplicateCount: 2 };
  expect(whole).toMatchObject({ ...ended, invalidCount: 1 });

  const broken = await begin("list-interrupted", "few");
  expect(broken).toMatchObject({ state: "accepting", lineCount: 2, number: null });
  const appended = await append(broken, 44, 46);
  expect(appended).toMatchObject({ lineCount: 4, acceptedCount: 3, duplicateCount: 1 });

  expect(await begin("list-accepted", "all")).toMatchObject({ state: "accepted", lineCount: 2 });
  await expect(begin("list-accepted", "few")).rejects.toMatchObject({
    code: "idempotency_conflict",
  });
  const fresh = await begin("list-new", "all");
  const numbers = await rows<{ number: number }>("select number from backfill where id <> $1", [
    fresh.id,
  ]);
  expect(numbers.map(({ number }) => number)).not.toContain(fresh.number);
});
