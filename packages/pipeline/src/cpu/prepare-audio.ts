import { createReadStream } from "node:fs";
import { join } from "node:path";
import {
  audioKind,
  defineStage,
  type MediaTools,
  Sha256,
  type Stage,
  type Storage,
} from "@clipmill/domain";
import { z } from "zod";

const Input = z.object({ mediaSha256: Sha256, durationMs: z.number().int() });
const Output = z.object({ audioSha256: Sha256, durationMs: z.number().int() });

/** The format of the audio. Part of the key: with another format the audio is made again. */
export const AUDIO_RECIPE = "wav-16k-mono";

/** Bounds the WAV file: 16 kHz mono 16-bit is 32 bytes a millisecond, and the other two leave room above that. */
const WAV_BYTES_PER_MS = 32;
const WAV_SLACK = 1.5;
const WAV_HEADER_BYTES = 1_000_000;

/** Makes 16 kHz mono PCM, which every recogniser takes. */
export const prepareAudio = defineStage({
  name: "prepare-audio",
  queue: "cpu",
  input: Input,
  output: Output,
  attempts: 3,
  timeoutMs: 300_000,
  key: ({ mediaSha256 }) => `${mediaSha256}-${AUDIO_RECIPE}`,
  produces: [audioKind],
});

export function createPrepareAudio({
  storage,
  media,
}: {
  storage: Storage;
  media: MediaTools;
}): Stage<z.infer<typeof Input>, z.infer<typeof Output>> {
  return {
    ...prepareAudio,
    async run({ mediaSha256, durationMs }, { signal }) {
      await using source = await storage.openLocal(`media/${mediaSha256}`, { signal });
      await using scratch = await storage.createScratch();
      const wavPath = join(scratch.path, "audio.wav");
      await media.toWav(source.path, wavPath, { signal });
      const { sha256, bytes } = await storage.write("audio", createReadStream(wavPath), {
        maxBytes: WAV_HEADER_BYTES + durationMs * WAV_BYTES_PER_MS * WAV_SLACK,
        signal,
      });
      const audio = { mediaSha256, recipe: AUDIO_RECIPE, audioSha256: sha256, bytes, durationMs };
      return { output: { audioSha256: sha256, durationMs }, records: [audioKind.record(audio)] };
    },
  };
}
