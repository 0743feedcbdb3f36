import { readFile } from "node:fs/promises";
import {
  audioKind,
  type ClaimedJob,
  mediaKind,
  type Outcome,
  postMediaKind,
  QUEUE_NAMES,
  type Recipes,
  sha256,
  SkipError,
  type StageRecord,
  type Storage,
  toClipmillError,
  type WorkStore,
} from "@clipmill/domain";

const ATTEMPTS = 4;
const signal = new AbortController().signal;

export const MEDIA_RECIPES: Recipes = { source: ["toy"], asr: ["toy"], ocr: [], llm: [] };

export interface MediaPipeline {
  /** What the upstream serves of a post; null: it is gone. */
  clips: Map<string, string | null>;
  /** Stages that ran to their end, such as `download`. */
  ran: string[];
  /** Runs everything that is ready, retries without a wait, until nothing is. `until` names a stage to stop after. */
  drain(until?: string): Promise<void>;
}

interface Result {
  output: unknown;
  records: StageRecord[];
}

async function* toContent(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** The real planner's stages up to the transcript, with real files and none of the work. */
export function createMediaPipeline(work: WorkStore, storage: Storage): MediaPipeline {
  const clips = new Map<string, string | null>();
  const ran: string[] = [];
  const write = async (kind: "media" | "audio", text: string) =>
    await storage.write(kind, toContent(text), { maxBytes: 1_000_000, signal });
  const read = async (key: `media/${string}` | `audio/${string}`) => {
    await using file = await storage.openLocal(key, { signal });
    return await readFile(file.path, "utf8");
  };

  const stages: Record<string, (input: never) => Promise<Result>> = {
    async download({ postId }: { postId: string }) {
      const clip = clips.get(postId) ?? null;
      if (clip === null) throw new SkipError("gone", "the post is deleted");
      const { sha256: hash, bytes } = await write("media", clip);
      const has = { kind: "video", durationMs: 1_000, hasAudio: true, hasVideo: true } as const;
      const link = { postId, mediaSha256: hash, role: "video", position: 0 } as const;
      const media = { sha256: hash, bytes, ...has };
      return {
        output: {
          postId,
          metadataHash: sha256(postId),
          sound: hash,
          video: hash,
          images: [],
          durationMs: 1_000,
          missing: null,
          captions: [],
        },
        records: [mediaKind.record(media), postMediaKind.record(link)],
      };
    },
    async "prepare-audio"({ mediaSha256 }: { mediaSha256: string }) {
      const clip = await read(`media/${mediaSha256}`);
      const { sha256: audioSha256, bytes } = await write("audio", `sound of ${clip}`);
      const recipe = "wav-16k-mono";
      const audio = { mediaSha256, recipe, audioSha256, bytes, durationMs: 1_000 };
      return {
        output: { audioSha256, durationMs: 1_000 },
        records: [audioKind.record(audio)],
      };
    },
    async transcribe({ audioSha256 }: { audioSha256: string }) {
      const heard = await read(`audio/${audioSha256}`);
      return {
        output: {
          transcriptKey: `of ${heard}`,
          transcriptHash: sha256(heard),
          verdict: "speech",
          engine: "toy",
        },
        records: [],
      };
    },
  };

  async function run({ id, epoch, stage, input, attempts }: ClaimedJob): Promise<Outcome> {
    try {
      const result = await stages[stage]?.(input as never);
      if (result === undefined) throw new Error(`no stage ${stage}`);
      ran.push(stage);
      return { id, epoch, kind: "done", ...result, calls: [] };
    } catch (thrown) {
      const { code, message, entry } = toClipmillError(thrown);
      const why = { id, epoch, code, message, upstream: null };
      if (entry.disposition === "skip") return { ...why, kind: "skipped" };
      if (attempts + 1 >= ATTEMPTS) return { ...why, kind: "failed" };
      return { ...why, kind: "retry", delayMs: 0, counts: true };
    }
  }

  return {
    clips,
    ran,
    async drain(until) {
      for (let rounds = 0; rounds < 50; rounds++) {
        let taken = 0;
        for (const queue of QUEUE_NAMES) {
          const claimed = await work.claim(await work.dispatch(queue, 100), "test-worker");
          taken += claimed.length;
          const outcomes: Outcome[] = [];
          for (const job of claimed) outcomes.push(await run(job));
          await work.settle(outcomes);
          if (until !== undefined && ran.includes(until)) return;
        }
        if (taken === 0) return;
      }
      throw new Error("the pipeline does not come to rest");
    },
  };
}
