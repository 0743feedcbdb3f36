import { stat } from "node:fs/promises";
import { join } from "node:path";
import {
  audioKind,
  ClipmillError,
  defineStage,
  type ErrorCode,
  type MediaTools,
  Sha256,
  type Stage,
  type StageContext,
  type Storage,
  Unread,
} from "@clipmill/domain";
import { z } from "zod";
import { readPieces } from "./read-pieces.ts";

const Input = z.object({ mediaSha256: Sha256 });
const Output = z.object({
  /** Null where the sound could not be decoded. */
  audioSha256: Sha256.nullable(),
  /** Of the decoded sound, from the start of the video. */
  durationMs: z.number().int(),
  /** Why there is no audio although the post has sound; null if there is audio. */
  unread: Unread.nullable().default(null),
});
type Output = z.infer<typeof Output>;

/** The format of the audio. Part of the key: with another format the audio is made again. */
export const AUDIO_RECIPE = "wav-16k-mono";

/** What is wrong with the sound alone: the pictures may be read all the same. */
const OF_THE_SOUND: readonly ErrorCode[] = ["unsupported", "corrupt_media"];

/** Sound that could not be decoded is tried again after this: ffmpeg may know more by then. */
const UNREAD_REMEMBERED_MS = 10 * 60_000;

/**
 * Makes 16 kHz mono PCM, which every recogniser takes, with the time of the video. Skips with `no_audio` where nothing
 * can be heard.
 */
export const prepareAudio = defineStage({
  name: "prepare-audio",
  queue: "cpu",
  input: Input,
  output: Output,
  attempts: 3,
  timeoutMs: 300_000,
  key: ({ mediaSha256 }) => `${mediaSha256}-${AUDIO_RECIPE}`,
  produces: [audioKind],
  rerun: ({ end, endedMsAgo }) =>
    end.state === "done" && end.output.unread !== null && endedMsAgo > UNREAD_REMEMBERED_MS,
});

interface PrepareAudioDeps {
  storage: Storage;
  media: MediaTools;
}

export function createPrepareAudio(deps: PrepareAudioDeps): Stage<z.infer<typeof Input>, Output> {
  return {
    ...prepareAudio,
    async run({ mediaSha256 }, ctx) {
      try {
        return await toAudio(deps, mediaSha256, ctx);
      } catch (error) {
        if (!(error instanceof ClipmillError) || !OF_THE_SOUND.includes(error.code)) throw error;
        const { code, message } = error;
        ctx.log.info({ code }, "the sound cannot be decoded");
        const unread: Unread = { part: "sound", code, message };
        return { output: { audioSha256: null, durationMs: 0, unread }, records: [] };
      }
    },
  };
}

async function toAudio(
  { storage, media }: PrepareAudioDeps,
  mediaSha256: string,
  { signal, onWait }: StageContext,
) {
  await using source = await storage.openLocal(`media/${mediaSha256}`, { signal });
  await using scratch = await storage.createScratch();
  const wavPath = join(scratch.path, "audio.wav");
  const { durationMs } = await media.toWav(source.path, wavPath, { signal, onWait });
  const { size: maxBytes } = await stat(wavPath);
  const stored = await storage.write("audio", readPieces(wavPath), {
    maxBytes,
    signal,
  });
  const { sha256: audioSha256, bytes } = stored;
  const audio = { mediaSha256, recipe: AUDIO_RECIPE, audioSha256, bytes, durationMs };
  return { output: { audioSha256, durationMs, unread: null }, records: [audioKind.record(audio)] };
}
