import { createWorkStore } from "@clipmill/db";
import type { Planner } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runTogether } from "../../support/work/run-together.ts";
import { newName, toCrawl, toWait, toyKinds } from "../../support/work/toy-kinds.ts";
import { newPostId, toSubmission, toyPipelines } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

/** Requests for this post cannot be planned. */
const ODD = newPostId();
const plan: Planner = (request, states) => {
  const next = toyPipelines.plan(request, states);
  const hasEnded = Object.values(states).some((state) => state?.state !== "open");
  // A plan that cannot be stored: no text of Postgres holds a NUL.
  return request.postId === ODD && hasEnded && next?.kind === "failed"
    ? { ...next, message: "\0" }
    : next;
};

beforeEach(async () => {
  fixture = await openWorkFixture(undefined, { plan });
  ({ work, rows } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

/** From now on the row with this key cannot be written. */
const refuseWrites = (table: "stage_job" | "request", column: string, value: string) =>
  rows(`create function refuse() returns trigger language plpgsql as
      $$ begin if new.${column} = '${value}' then raise 'refused'; end if; return new; end $$;
    create trigger refuse before update on ${table} for each row execute function refuse()`);

const countIn = async (state: string) =>
  (
    await rows<{ n: number }>("select count(*)::int as n from stage_job where state = $1", [state])
  )[0]?.n;

describe("a row that cannot be changed", () => {
  test("stops no other hint or lease whose time is over, and is told", async () => {
    const posts = Array.from({ length: 9 }, newPostId);
    await work.accept(posts.map((postId) => toSubmission(postId)));
    await work.claim((await work.dispatch("io", 9)).slice(0, 6), "dead");
    await rows("update stage_job set held_until = now() - interval '1 second'");
    await refuseWrites("stage_job", "key", posts[2] ?? "");
    const { failures = [], ...counts } = await work.reconcile();
    expect(counts).toMatchObject({ requeued: 3, expired: 5 });
    expect(failures).toEqual([expect.objectContaining({ message: "refused" })]);
    expect(await countIn("ready")).toBe(8);
  });

  test("stops no other job that is poison: a request that cannot be planned is its own trouble", async () => {
    const posts = [newPostId(), ODD, newPostId()];
    await work.accept(posts.map((postId) => toSubmission(postId)));
    await work.claim(await work.dispatch("io", 9), "dead");
    await rows(`update stage_job set lane = 0, started_at = now(), quarantine_crashes = 2,
      held_until = now() - interval '1 second'`);
    const { poisoned, failures = [] } = await work.reconcile();
    expect(poisoned).toBe(2);
    expect(failures).toHaveLength(1);
    expect(await countIn("failed")).toBe(2);
  });

  test("stops no other deadline, and all that have passed end in one round", async () => {
    const deadline = new Date(Date.now() + 3_600_000).toISOString();
    const accepted = await work.accept(
      Array.from({ length: 1_200 }, () => toSubmission(newPostId(), { deadline })),
    );
    await rows("update request set deadline = now() - interval '1 minute'");
    await refuseWrites("request", "id", accepted[700]?.requestId ?? "");
    await expect(work.expireDeadlines()).rejects.toThrow("refused");
    const left = await rows("select id from request where state = 'open'");
    expect(left).toEqual([{ id: accepted[700]?.requestId }]);
  });

  test("stops no other request without work", async () => {
    const posts = [newPostId(), newPostId(), newPostId()];
    const accepted = await work.accept(posts.map((postId) => toSubmission(postId)));
    await rows("delete from request_stage_job");
    await rows("delete from stage_job");
    await rows(`create function refuse() returns trigger language plpgsql as
        $$ begin if new.key = '${posts[1]}' then raise 'refused'; end if; return new; end $$;
      create trigger refuse before insert on stage_job for each row execute function refuse()`);
    const { replanned } = await work.replanStranded();
    expect(replanned).toEqual([accepted[0]?.requestId, accepted[2]?.requestId]);
  });
});

test("two reconcilers that find one request without work name it once", async () => {
  await work.accept([toSubmission(newPostId())]);
  await rows("delete from request_stage_job");
  await rows("delete from stage_job");
  const other = openSecond();
  const found = await Promise.all([work.replanStranded(), other.replanStranded()]);
  expect(found.flatMap(({ replanned }) => replanned)).toHaveLength(1);
});

/** The store of another process. */
function openSecond() {
  return createWorkStore(fixture.database, {
    pipelines: { plan },
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });
}

test("waits are spared with the leases while nobody could resolve them", async () => {
  const postId = newPostId();
  await work.accept([toSubmission(postId)]);
  await work.settle([toWait(await fixture.claimStage(postId, "io"), "token")]);
  await rows("update stage_wait set expires_at = now() - interval '1 second'");
  await rows("update stage_job set held_until = now() - interval '1 second'");
  expect(await work.reconcile({ spareLeases: true })).toMatchObject({ timedOut: 0 });
  expect(await work.resolve([{ token: "token", kind: "done", output: { postId } }])).toHaveLength(
    1,
  );
});

test("an output that is no JSON fails its own job, and its neighbours are stored", async () => {
  await using kinds = await openWorkFixture(undefined, toyKinds);
  const links = [newName("page"), newName("page"), newName("page")];
  await kinds.work.accept(links.map((link) => toCrawl(link)));
  const ends = await runTogether(kinds, { stage: "list", queue: "io", keys: links }, (key) => ({
    output: key === links[1] ? { id: key, size: 12n } : { id: key },
  }));
  expect(ends.map(({ state }) => state)).toEqual(["done", "failed", "done"]);
});
