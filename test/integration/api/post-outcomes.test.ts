import {
  createDatabase,
  createListener,
  createPostReader,
  createRequestReader,
  createWorkStore,
  type Database,
} from "@clipmill/db";
import {
  hashTranscript,
  postKind,
  type QueueName,
  sha256,
  type StageRecord,
  type Submission,
  type SummaryAnswer,
  summaryKind,
  type Transcript,
  transcriptKind,
} from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase } from "../../support/servers/database.ts";

const SOUND = sha256("sound");
const ASR = "pocketsphinx:en-us";
let database: Database;
let work: ReturnType<typeof createWorkStore>;
let reader: ReturnType<typeof createRequestReader>;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const testDatabase = await createTestDatabase();
  const onError = () => {};
  database = createDatabase({ url: testDatabase.url, poolSize: 4, name: "test", onError });
  const listener = createListener({ url: testDatabase.url, onError });
  work = createWorkStore(database, { pipelines, leaseMs: 30_000, queuedForMs: 60_000 });
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
      recipes: { source: ["ytdlp"], asr: [ASR], ocr: [], llm: [] },
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

/** Ends a stage whose input names `about`, as the stage would. */
async function finish(
  { queue, stage, about }: { queue: QueueName; stage: string; about: string },
  output: object,
  records: StageRecord[] = [],
) {
  const claimed = await work.claim(await work.dispatch(queue, 100), "test-worker");
  const job = claimed.find(
    (each) => each.stage === stage && JSON.stringify(each.input).includes(about),
  );
  if (job === undefined) throw new Error(`${stage} is not queued`);
  const { id, epoch } = job;
  const { fenced } = await work.settle([{ id, epoch, kind: "done", output, records, calls: [] }]);
  expect(fenced).toEqual([]);
}

async function finishDownload(postId: string, output: object, records: StageRecord[] = []) {
  const post = postKind.record({
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
  });
  const whole = { postId, metadataHash: sha256(""), images: [], durationMs: 8_000, ...output };
  await finish({ queue: "io", stage: "download", about: postId }, whole, [post, ...records]);
}

function toTranscript(
  language: string,
  { mediaSha256, engine }: { mediaSha256: string; engine: string },
): Transcript {
  const text = `words in ${language} that stand in the captions`;
  return {
    key: sha256(`${mediaSha256} ${engine} ${text}`),
    hash: hashTranscript(text, language),
    mediaSha256,
    recipe: engine,
    engine,
    origin: engine.startsWith("captions") ? "captions" : "speech",
    language,
    text,
    segments: [{ startMs: 0, endMs: 8_000, text }],
    durationMs: 8_000,
    verdict: "speech",
  };
}

function toCaptions(language: string, spoken: boolean, mediaSha256 = SOUND) {
  const transcript = toTranscript(language, { mediaSha256, engine: "captions:ytdlp" });
  const { key: transcriptKey, hash: transcriptHash, text } = transcript;
  const record = transcriptKind.record(transcript);
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

test("fresh recognition is never answered with captions, nor captions with it, and is shared by those who want it", async () => {
  const postId = newPostId();
  const sound = sha256("a sound with captions");
  const captions = toCaptions("en", true, sound);
  const asked = {
    outputs: ["transcript", "summary"] as const,
    recipes: { source: ["ytdlp"], asr: [ASR], ocr: [], llm: ["extractive"] },
  };
  const plain = await submit(postId, asked);
  await finishDownload(postId, { sound, video: sound, captions: [captions.output] }, [
    captions.record,
  ]);
  const answer: SummaryAnswer = {
    key: sha256(postId),
    postId,
    kind: "summary",
    transcriptHash: captions.output.transcriptHash,
    evidenceHash: "",
    promptVersion: "1",
    recipe: "extractive",
    engine: "extractive",
    sources: ["captions", "metadata"],
    body: { tldr: "words", takeaways: ["a", "b", "c"], sentiment: "neutral", cta: "go" },
  };
  await finish(
    { queue: "llm", stage: "summarize", about: postId },
    { answerKey: answer.key, engine: answer.engine },
    [summaryKind.record(answer)],
  );
  const fresh = await submit(postId, { ...asked, fresh: true });
  expect(fresh.state).toBe("open");
  expect(await stagesOf(fresh.requestId)).toEqual(["download done", "prepare-audio ready"]);

  const prepared = { audioSha256: sha256("wav"), durationMs: 8_000 };
  await finish({ queue: "cpu", stage: "prepare-audio", about: sound }, prepared);
  const heard = toTranscript("en", { mediaSha256: sound, engine: ASR });
  await finish(
    { queue: "gpu", stage: "transcribe", about: sound },
    { transcriptKey: heard.key, transcriptHash: heard.hash, verdict: "speech", engine: ASR },
    [transcriptKind.record(heard)],
  );
  // The words are the same, and so is what was answered about them.
  const ofFresh = { models: { asr: ASR }, sources: ["transcript", "metadata"] };
  const ofPlain = { models: { asr: "captions:ytdlp" }, sources: ["captions", "metadata"] };
  expect((await reader.findRequest(fresh.requestId))?.result).toMatchObject(ofFresh);
  expect((await reader.findRequest(plain.requestId))?.result).toMatchObject(ofPlain);
  const stored = await createPostReader(database).find(postId);
  expect(stored?.result).toMatchObject(ofFresh);

  const again = await submit(postId, { ...asked, fresh: true });
  const plainAgain = await submit(postId, asked);
  expect((await reader.findRequest(again.requestId))?.result).toMatchObject({
    ...ofFresh,
    cached: true,
  });
  expect((await reader.findRequest(plainAgain.requestId))?.result).toMatchObject({
    ...ofPlain,
    cached: true,
  });
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
