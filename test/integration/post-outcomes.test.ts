import {
  createDatabase,
  createListener,
  createRequestReader,
  createWorkStore,
  type Database,
} from "@clipmill/db";
import { hashTranscript, sha256, type StageRecord, type Submission } from "@clipmill/domain";
import { planRequest } from "@clipmill/pipeline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase } from "../support/database.ts";

const SOUND = sha256("sound");
let database: Database;
let work: ReturnType<typeof createWorkStore>;
let reader: ReturnType<typeof createRequestReader>;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const testDatabase = await createTestDatabase();
  const onError = () => {};
  database = createDatabase({ url: testDatabase.url, poolSize: 4, name: "test", onError });
  const listener = createListener({ url: testDatabase.url, onError });
  work = createWorkStore(database, { plan: planRequest, leaseMs: 30_000, queuedForMs: 60_000 });
  reader = createRequestReader(database, listener);
  closers.push(
    () => listener.close(),
    () => database.close(),
    () => testDatabase.drop(),
  );
});
afterAll(async () => {
  for (const close of closers) await close();
});

let posts = 0;
const newPostId = () => String(7_345_678_901_234_000_000n + BigInt(posts++));

async function submit(postId: string, more: Partial<Submission> = {}) {
  const [accepted] = await work.accept([
    {
      tenant: "local",
      link: `https://www.tiktok.com/@ada/video/${postId}`,
      postId,
      outputs: ["transcript"],
      recipes: { source: ["ytdlp"], asr: ["pocketsphinx:en-us"], ocr: [], llm: [] },
      lane: "standard",
      deadline: null,
      idempotencyKey: null,
      language: null,
      ...more,
    },
  ]);
  if (accepted === undefined) throw new Error("not accepted");
  return accepted;
}

const stagesOf = async (requestId: string) =>
  (await reader.findRequest(requestId))?.stages.map(({ name, state }) => `${name} ${state}`);

/** Ends the download of a post as the stage would. */
async function finishDownload(postId: string, output: object, records: StageRecord[] = []) {
  const picked = await work.pick("io", 100);
  const claimed = await work.claim(picked, "test-worker");
  const job = claimed.find(({ stage, key }) => stage === "download" && key === postId);
  if (job === undefined) throw new Error("the download is not queued");
  const post: StageRecord = {
    kind: "post",
    post: {
      postId,
      url: null,
      title: "",
      author: { uniqueId: "ada", nickname: null, followerCount: null },
      music: null,
      region: null,
      durationMs: 8_000,
      postedAt: null,
      source: "ytdlp",
    },
    engagement: { plays: null, likes: null, comments: null, shares: null },
  };
  const { id, epoch } = job;
  const whole = { postId, metadataHash: sha256(""), images: [], durationMs: 8_000, ...output };
  const calls: never[] = [];
  const { fenced } = await work.settle([
    { id, epoch, kind: "done", output: whole, records: [post, ...records], calls },
  ]);
  expect(fenced).toEqual([]);
}

function toCaptions(language: string, spoken: boolean) {
  const text = `words in ${language} that stand in the captions`;
  const transcriptKey = sha256(text);
  const transcriptHash = hashTranscript(text, language);
  const record: StageRecord = {
    kind: "transcript",
    transcript: {
      key: transcriptKey,
      hash: transcriptHash,
      mediaSha256: SOUND,
      recipe: "captions:ytdlp",
      engine: "captions:ytdlp",
      origin: "captions",
      language,
      text,
      segments: [{ startMs: 0, endMs: 8_000, text }],
      durationMs: 8_000,
      verdict: "speech",
    },
  };
  return { text, record, output: { transcriptKey, transcriptHash, language, spoken } };
}

test("captions are the transcript of those whom they suit, and others are listened to", async () => {
  const postId = newPostId();
  const english = toCaptions("en", true);
  const german = toCaptions("de", false);
  const [plain, inGerman, inFrench] = [
    await submit(postId),
    await submit(postId, { language: "de" }),
    await submit(postId, { language: "fr" }),
  ];
  await finishDownload(
    postId,
    { sound: SOUND, video: SOUND, captions: [english.output, german.output] },
    [english.record, german.record],
  );
  const { result } = (await reader.findRequest(plain.requestId)) ?? {};
  expect(result).toMatchObject({
    transcript: english.text,
    language: "en",
    segments: [{ start: 0, end: 8, text: english.text }],
    models: { asr: "captions:ytdlp" },
    simulated: [],
  });
  expect((await reader.findRequest(inGerman.requestId))?.result?.transcript).toBe(german.text);
  expect(await stagesOf(plain.requestId)).toEqual(["download done"]);
  expect(await stagesOf(inFrench.requestId)).toEqual(["download done", "prepare-audio ready"]);
});

test("a region lock is done with a warning, remembered for ten minutes, then tried anew", async () => {
  const postId = newPostId();
  const first = await submit(postId);
  await finishDownload(postId, { sound: null, video: null, missing: "region_locked" });
  expect((await reader.findRequest(first.requestId))?.result).toMatchObject({
    transcript: "",
    warnings: [{ stage: "download", code: "region_locked" }],
  });
  expect((await submit(postId)).state).toBe("done");

  await database.pool.query(
    "update stage_job set finished_at = now() - interval '11 minutes' where key = $1",
    [postId],
  );
  const later = await submit(postId);
  expect(later.state).toBe("open");
  expect(await stagesOf(later.requestId)).toEqual(["download ready"]);
});

test("a download with its media is never fetched again", async () => {
  const postId = newPostId();
  await submit(postId);
  await finishDownload(postId, { sound: null, video: SOUND, missing: null });
  await database.pool.query(
    "update stage_job set finished_at = now() - interval '1 year' where key = $1",
    [postId],
  );
  expect((await submit(postId)).state).toBe("done");
});
