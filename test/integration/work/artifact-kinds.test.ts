import {
  ARTIFACT_TABLES,
  createArtifactReader,
  createArtifactTable,
  createDatabase,
  createListener,
  createPostReader,
  createRequestReader,
  createWorkStore,
  RECORD_TABLES,
} from "@clipmill/db";
import {
  defineArtifact,
  defineStage,
  type Outcome,
  postKind,
  type StageContext,
  type StageRecord,
  toArtifactKeys,
  toRunnable,
} from "@clipmill/domain";
import { createPipeline, createPipelines, step } from "@clipmill/pipeline";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createTestDatabase } from "../../support/servers/database.ts";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";

// All that a new kind needs: its shape, its table, the stage that makes it, and the pipeline that plans it.
const Mood = z.object({
  key: z.string(),
  engine: z.string(),
  postId: z.string(),
  word: z.string().max(20),
});

const moodKind = defineArtifact({
  name: "mood",
  shape: Mood,
  columns: ["word"],
  hasVariants: true,
  fields: { mood: z.record(z.string(), z.string()) },
  toFields: ({ variants }) => ({
    mood: Object.fromEntries(Object.entries(variants).map(([name, { word }]) => [name, word])),
  }),
});

const moods = createArtifactTable(moodKind, {
  table: "mood",
  columns: { key: "text", engine: "text", postId: "text", word: "text" },
});
const CREATE_TABLE =
  "create table mood (key text primary key, engine text not null, post_id text not null, word text not null)";

const Input = z.object({ postId: z.string(), language: z.string(), engine: z.string() });
type Input = z.infer<typeof Input>;

const feel = defineStage({
  name: "feel",
  queue: "llm",
  input: Input,
  output: z.object({ moodKey: z.string() }),
  attempts: 1,
  timeoutMs: 10_000,
  key: ({ postId, language, engine }) => `${postId}-${language}-${engine}`,
  produces: [postKind, moodKind],
});

/** `languages`: those in which a request wants the mood; `""` is the creator's own. */
const Asked = z.object({ languages: z.array(z.string()), engine: z.string() });
const pipelines = createPipelines([
  createPipeline(
    "mood",
    [
      step(feel, {
        after: [],
        each: ({ input }) => Asked.parse(input).languages,
        input: ({ request: { postId, input } }, language) => {
          return { postId: postId ?? "", language, engine: Asked.parse(input).engine };
        },
      }),
    ],
    {
      artifacts: ({ outputs }) =>
        toArtifactKeys(
          Object.entries(outputs(feel)).map(([variant, { moodKey }]) => {
            return { kind: moodKind, variant, key: moodKey };
          }),
        ),
    },
  ),
]);

const WORDS: Record<string, string> = { "": "calm", de: "ruhig" };
const NO_COUNTERS = { plays: null, likes: null, comments: null, shares: null };

function toPost(postId: string): StageRecord {
  const author = { uniqueId: "ada", nickname: null, followerCount: null };
  const rest = { region: null, durationMs: 0, postedAt: null, music: null, source: "toy" };
  return postKind.record({
    post: { postId, url: null, title: "", author, ...rest },
    engagement: NO_COUNTERS,
  });
}

function toMood({ postId, language, engine }: Input) {
  const word = WORDS[language] ?? "?";
  return { key: `${postId} ${language} ${engine}`, engine, postId, word };
}

const stage = toRunnable({
  ...feel,
  async run(input) {
    const mood = toMood(input);
    return {
      output: { moodKey: mood.key },
      records: [toPost(input.postId), moodKind.record(mood)],
    };
  },
});

async function openStore() {
  const { url, drop } = await createTestDatabase();
  const onError = () => {};
  const database = createDatabase({ url, poolSize: 2, name: "test", onError });
  const listener = createListener({ url, onError });
  onTestFinished(async () => {
    await listener.close();
    await database.close();
    await drop();
  });
  await database.pool.query(CREATE_TABLE);
  const options = { pipelines, leaseMs: 30_000, queuedForMs: 60_000 };
  const work = createWorkStore(database, { ...options, tables: [...RECORD_TABLES, moods] });
  const tables = [...ARTIFACT_TABLES, moods];

  /** Runs the stage on every ready job; returns the outcomes. */
  async function runReady(): Promise<Outcome[]> {
    const claimed = await work.claim(await work.dispatch("llm", 10), "test-worker");
    const outcomes: Outcome[] = [];
    for (const { id, epoch, input } of claimed) {
      const result = await stage.run(input, {} as StageContext);
      if ("waitFor" in result) throw new Error("it waits");
      outcomes.push({ id, epoch, kind: "done", records: [], calls: [], ...result });
    }
    return outcomes;
  }
  return {
    work,
    runReady,
    plainWork: createWorkStore(database, options),
    artifacts: createArtifactReader(database, { tables }),
    posts: createPostReader(database, { tables }),
    requests: createRequestReader(database, listener, { tables }),
    async ask(postId: string, languages: string[], engine: string) {
      const more = { kind: "mood", input: { languages, engine } };
      const [accepted] = await work.accept([toSubmission(postId, more)]);
      return accepted?.requestId ?? "";
    },
    async rows<T>(sql: string, ...values: unknown[]): Promise<T[]> {
      return (await database.pool.query(sql, values)).rows as T[];
    },
  };
}

test("is stored with its stage's end, named by request and post with its variants, and read back by kind", async () => {
  const { work, runReady, ask, rows, artifacts, posts, requests } = await openStore();
  const postId = newPostId();
  const requestId = await ask(postId, ["", "de"], "toy@sandbox");
  await work.settle(await runReady());
  const keys = { mood: `${postId}  toy@sandbox`, "mood.de": `${postId} de toy@sandbox` };
  expect(await rows("select state, artifacts from request where id = $1", requestId)).toEqual([
    { state: "done", artifacts: keys },
  ]);
  expect(await rows("select artifacts from post where post_id = $1", postId)).toEqual([
    { artifacts: keys },
  ]);
  const german = toMood({ postId, language: "de", engine: "toy@sandbox" });
  expect(await artifacts.find(moodKind, keys["mood.de"])).toEqual(german);
  expect(await artifacts.find(moodKind, "another")).toBeNull();
  const expected = { mood: { "": "calm", de: "ruhig" }, transcript: "", simulated: ["mood"] };
  expect((await posts.find(postId))?.result).toMatchObject(expected);
  expect((await requests.findRequest(requestId))?.result).toMatchObject(expected);
});

test("of a post the latest is current, kind by kind and variant by variant; a request keeps its own", async () => {
  const { work, runReady, ask, rows, posts } = await openStore();
  const postId = newPostId();
  const first = await ask(postId, ["", "de"], "old");
  await work.settle(await runReady());
  const before = await posts.findVersion(postId);
  await ask(postId, ["de"], "new");
  await work.settle(await runReady());
  expect(await rows("select artifacts from post")).toEqual([
    { artifacts: { mood: `${postId}  old`, "mood.de": `${postId} de new` } },
  ]);
  expect(await rows("select artifacts from request where id = $1", first)).toEqual([
    { artifacts: { mood: `${postId}  old`, "mood.de": `${postId} de old` } },
  ]);
  expect(await posts.findVersion(postId)).not.toBe(before);
});

test("is not stored by whoever lost the job, and never changes once it is", async () => {
  const { work, runReady, ask, artifacts } = await openStore();
  const postId = newPostId();
  await ask(postId, [""], "toy");
  const [outcome] = await runReady();
  if (outcome?.kind !== "done") throw new Error("nothing ran");
  const key = `${postId}  toy`;
  await work.settle([{ ...outcome, epoch: outcome.epoch - 1 }]);
  expect(await artifacts.find(moodKind, key)).toBeNull();
  await work.settle([outcome]);

  await ask(postId, ["fr"], "toy");
  const [other] = await runReady();
  const angry = { ...toMood({ postId, language: "", engine: "toy" }), word: "angry" };
  const records = [moodKind.record(angry)];
  await work.settle(other?.kind === "done" ? [{ ...other, records }] : []);
  expect(await artifacts.find(moodKind, key)).toMatchObject({ word: "calm" });
});

test("without a table is refused, and nothing of its batch is stored", async () => {
  const { plainWork, work, runReady, ask, rows } = await openStore();
  await ask(newPostId(), [""], "toy");
  const outcomes = await runReady();
  await expect(plainWork.settle(outcomes)).rejects.toThrow(
    "records of the kind mood have no table",
  );
  expect(await rows("select post_id from post")).toEqual([]);
  expect(await work.settle(outcomes)).toMatchObject({ fenced: [] });
});

test("of another shape than its kind's is refused before it reaches the record", async () => {
  const wordy = { ...toMood({ postId: "1", language: "", engine: "toy" }), word: "x".repeat(21) };
  const records = [moodKind.record(wordy)];
  const broken = toRunnable({ ...feel, run: async () => ({ output: { moodKey: "k" }, records }) });
  const input = { postId: "1", language: "", engine: "toy" };
  await expect(broken.run(input, {} as StageContext)).rejects.toThrow(
    "the mood of feel is malformed: word",
  );
});
