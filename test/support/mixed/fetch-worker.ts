import { loadConfig } from "@clipmill/config";
import {
  createArtifactReader,
  createDatabase,
  createListener,
  createWorkStore,
  type Database,
} from "@clipmill/db";
import {
  type PostSource,
  type QueueName,
  type RunnableStage,
  sha256,
  type Storage,
  type WorkStore,
} from "@clipmill/domain";
import { createStages, pipelines } from "@clipmill/pipeline";
import { createTurns } from "@clipmill/providers";
import {
  createDispatcher,
  createHints,
  createQueueBackend,
  createQueueWorker,
  createReconciler,
  createRunner,
  createSlots,
} from "@clipmill/queue";
import { createMedia } from "../../../apps/worker/src/media.ts";
import { silentLog as log } from "../work/toy-pipeline.ts";

export interface FetchWorkerOptions {
  databaseUrl: string;
  /** Null: the queue is on Postgres. */
  redisUrl: string | null;
  /** CLIPMILL_HOME. */
  directory: string;
  sandboxUrl: string;
  /** Link of the captions that a source would offer; null for none. */
  findCaptions(postId: string): string | null;
  onError(error: Error): void;
}

export interface FetchWorker {
  work: WorkStore;
  database: Database;
  storage: Storage;
  /** Starts to take jobs. */
  start(): void;
  close(): Promise<void>;
}

const SLOTS = 20;
/** What `endless` runs into. The biggest clip has 120 kB. */
const MAX_MEDIA_BYTES = 2_000_000;
const QUEUES: readonly QueueName[] = ["io", "cpu", "gpu"];

/**
 * The worker's parts in this process: the real planner, work store, queue and runner, with the real stages that
 * fetch. What would decode and recognise answers at once. Calls go without a limiter, whose pause after a
 * planted 429 would hold up all; retries do not wait, unless the upstream named a time.
 */
export async function createFetchWorker(options: FetchWorkerOptions): Promise<FetchWorker> {
  const { databaseUrl, directory, sandboxUrl, onError } = options;
  const config = loadConfig({
    PATH: process.env["PATH"],
    CLIPMILL_HOME: directory,
    CLIPMILL_SANDBOX_URL: sandboxUrl,
    MAX_MEDIA_BYTES: String(MAX_MEDIA_BYTES),
  });
  const database = createDatabase({ url: databaseUrl, poolSize: 8, name: "mixed", onError });
  const listener = createListener({ url: databaseUrl, onError });
  const backend = createQueueBackend({
    redisUrl: options.redisUrl ?? undefined,
    databaseUrl,
    prefix: `mixed-${process.pid}`,
    onError,
  });
  const hints = createHints(backend);
  const work = createWorkStore(database, {
    pipelines,
    leaseMs: config.LEASE_MS,
    queuedForMs: 60_000,
  });
  const media = await createMedia(config, createTurns(config.CPU_CONCURRENCY));
  const stages = createStages({
    ...media,
    sources: media.sources.map((source) => withCaptions(source, options.findCaptions)),
    asr: [],
    ocr: [],
    llm: [],
    artifacts: createArtifactReader(database),
  });
  const slots = new Map(QUEUES.map((queue) => [queue, createSlots(SLOTS)]));
  const runner = createRunner({
    hints,
    route: { slots, next: pipelines.next },
    stages: stages.map(toCheap),
    work,
    ledger: work,
    workerId: `mixed-${process.pid}`,
    leaseMs: config.LEASE_MS,
    log,
    random: () => 0,
  });
  const loops: { close(): Promise<void> }[] = [];

  return {
    work,
    database,
    storage: media.storage,
    start() {
      const window = { io: 3 * SLOTS, gpu: 3 * SLOTS, cpu: 3 * SLOTS, llm: 1 };
      const nextReady = (queue: QueueName, ms: number) =>
        listener.next("clipmill_ready", queue, ms);
      for (const [queue, ofQueue] of slots)
        loops.push(createQueueWorker({ backend, queue, slots: ofQueue, runner, log }));
      loops.push(createDispatcher({ work, hints, nextReady, window, log }));
      loops.push(createReconciler({ work, hints, log }));
    },
    async close() {
      await Promise.all(loops.map((loop) => loop.close()));
      await runner.close();
      await media.close();
      await hints.close();
      await backend.close();
      await listener.close();
      await database.close();
    },
  };
}

/** TikLiveAPI offers no captions; yt-dlp would, but as a process for each post. */
function withCaptions(source: PostSource, find: FetchWorkerOptions["findCaptions"]): PostSource {
  return {
    ...source,
    async fetchPost(ref, options) {
      const fetched = await source.fetchPost(ref, options);
      const url = find(fetched.post.postId);
      if (url === null) return fetched;
      return {
        ...fetched,
        captions: [{ language: "en", format: "vtt", content: { url }, origin: "creator" }],
      };
    },
  };
}

/** Decoding and recognition are not what this is about. */
function toCheap(stage: RunnableStage): RunnableStage {
  if (stage.name === "prepare-audio")
    return answering(stage, { audioSha256: sha256("audio"), durationMs: 1_000 });
  if (stage.name === "transcribe") {
    const transcript = { transcriptKey: "none", transcriptHash: sha256("words") };
    return answering(stage, { ...transcript, verdict: "speech", engine: "none" });
  }
  return stage;
}

function answering(stage: RunnableStage, output: object): RunnableStage {
  return { ...stage, run: async () => ({ output, records: [] }) };
}
