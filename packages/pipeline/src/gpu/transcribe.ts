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
  UnrecoverableError,
} from "@clipmill/domain";
import { z } from "zod";
import { findEngines, tryEngines } from "../engines/choose-engine.ts";
import { hasBetterEngine, PassedEngines } from "../engines/rerun.ts";

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
  passed: PassedEngines,
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
      const { able, passed } = findAble(asr, { engines, language });
      await using wav = await storage.openLocal(`audio/${audioSha256}`, { signal });
      const input = { wavPath: wav.path, mediaSha256, durationMs, language };
      const { engine, heard } = await tryEngines(
        able,
        async (engine) => {
          const intent = { engine: engine.id, estimateUsd: engine.estimateUsd(durationMs) };
          const ask =
            (await engine.prepare?.(input, { signal })) ??
            ((options: { signal: AbortSignal }) => engine.transcribe(input, options));
          return { engine, heard: await ctx.pay(intent, () => ask({ signal })) };
        },
        {
          ...ctx,
          onPass: ({ id }, { code }) => {
            passed[id] = code;
          },
        },
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
        verdict: heard.saidNoSpeech === true ? "silent" : judgeSpeech(text, durationMs),
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
        output: { transcriptKey, transcriptHash, verdict, engine: engine.id, passed },
        records: [transcriptKind.record(transcript)],
      };
    },
  };
}

/**
 * The engines of the recipe that this worker has and that hear the language; the others are passed over. Where the worker has
 * all of them and none hears it, no worker ever will: throws UnrecoverableError `unsupported`. Throws RetryableError
 * `engine_unavailable` where another worker may have the one that does.
 */
function findAble(
  asr: readonly AsrProvider[],
  { engines, language }: { engines: readonly string[]; language: string | null },
): { able: [AsrProvider, ...AsrProvider[]]; passed: PassedEngines } {
  const here = findEngines(engines, asr);
  const deaf = here.filter((engine) => !engine.supports(language));
  if (deaf.length === engines.length) {
    throw new UnrecoverableError(
      "unsupported",
      `${engines.join(", ")} cannot hear the language ${JSON.stringify(language)}: set ASR_BASE_URL to a server that can, or leave the language out`,
    );
  }
  return {
    able: findEngines(
      engines,
      here.filter((engine) => !deaf.includes(engine)),
    ),
    passed: Object.fromEntries(deaf.map(({ id }) => [id, "unsupported"])),
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
