import {
  type AsrProvider,
  defineStage,
  hashJson,
  hashTranscript,
  judgeSpeech,
  Sha256,
  SpeechVerdict,
  type Stage,
  type Storage,
  toRecipeKey,
  toText,
  type Transcript,
  transcriptKind,
} from "@clipmill/domain";
import { z } from "zod";
import { findEngines, tryEngines } from "../engines/choose-engine.ts";
import { hasBetterEngine } from "../engines/rerun.ts";

const Input = z.object({
  mediaSha256: Sha256,
  audioSha256: Sha256,
  durationMs: z.number().int(),
  engines: z.array(z.string()).min(1),
  language: z.string().nullable(),
});

const Output = z.object({
  transcriptKey: z.string(),
  transcriptHash: Sha256,
  verdict: SpeechVerdict,
  engine: z.string(),
});

/** Recognises speech, and decides whether there was any. */
export const transcribe = defineStage({
  name: "transcribe",
  queue: "gpu",
  input: Input,
  output: Output,
  attempts: 4,
  // Where no engine is known; else see `toLimitMs`.
  timeoutMs: 600_000,
  key: ({ mediaSha256, engines, language }) =>
    `${mediaSha256}-${hashJson({ engines, language }).slice(0, 16)}`,
  produces: [transcriptKind],
  rerun: (end) => hasBetterEngine(end),
});

export function createTranscribe({
  asr,
  storage,
}: {
  asr: readonly AsrProvider[];
  storage: Storage;
}): Stage<z.infer<typeof Input>, z.infer<typeof Output>> {
  return {
    ...transcribe,
    timeoutMs: toLimitMs(asr),
    async run({ mediaSha256, audioSha256, durationMs, engines, language }, ctx) {
      const { signal } = ctx;
      const able = findEngines(
        engines,
        asr.filter((each) => each.supports(language)),
      );
      await using wav = await storage.openLocal(`audio/${audioSha256}`, { signal });
      const input = { wavPath: wav.path, mediaSha256, durationMs, language };
      const { engine, heard } = await tryEngines(
        able,
        async (engine) => {
          const intent = { engine: engine.id, estimateUsd: engine.estimateUsd(durationMs) };
          const call = () => engine.transcribe(input, { signal });
          return { engine, heard: await ctx.pay(intent, call) };
        },
        ctx,
      );
      const text = toText(heard.segments);
      const spoken = heard.language ?? language;
      const transcript: Transcript = {
        key: hashJson({ mediaSha256, engines, language, engine: engine.id }),
        hash: hashTranscript(text, spoken),
        mediaSha256,
        recipe: toRecipeKey(engines),
        engine: engine.id,
        origin: "speech",
        language: spoken,
        text,
        segments: heard.segments,
        durationMs,
        verdict: judgeSpeech(text, durationMs),
      };
      ctx.log.info(
        {
          engine: engine.id,
          language: spoken,
          segmentCount: heard.segments.length,
          verdict: transcript.verdict,
        },
        "transcribed",
      );
      const { key: transcriptKey, hash: transcriptHash, verdict } = transcript;
      return {
        output: { transcriptKey, transcriptHash, verdict, engine: engine.id },
        records: [transcriptKind.record(transcript)],
      };
    },
  };
}

/** Opening the sound, and storing the text. */
const MARGIN_MS = 60_000;

/** Each engine ends by its own limit; all of them may be asked, one after the other. */
function toLimitMs(asr: readonly AsrProvider[]): number {
  const limits = asr.map(({ limitMs }) => limitMs ?? transcribe.timeoutMs);
  return Math.max(
    transcribe.timeoutMs,
    limits.reduce((sum, limit) => sum + limit, MARGIN_MS),
  );
}
