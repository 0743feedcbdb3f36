import { openAsBlob } from "node:fs";
import {
  type AsrInput,
  type AsrProvider,
  type EngineId,
  RetryableError,
  UnrecoverableError,
} from "@clipmill/domain";
import { Agent, FormData, request } from "undici";
import { mayHaveArrived, parseRetryAfter, toStatusError } from "../../http/upstream-error.ts";
import { parseErrorCode, parseOpenAiAnswer } from "./openai-answer.ts";

export interface OpenAiTranscriberOptions {
  /** Without or with a trailing `/v1`. */
  baseUrl: string;
  /** Sent as Bearer token; one's own server may want none. */
  apiKey?: string | undefined;
  model: string;
  engine: EngineId;
  /** 0 for one's own server. */
  usdPerMinute: number;
  /** For one upload and its recognition. Default 5 min. */
  timeoutMs?: number;
  /** Largest WAV that the server takes. Default 25 MiB, the limit of OpenAI and vLLM: about 13 min. */
  maxUploadBytes?: number;
}

interface Answered {
  status: number;
  retryAfterMs: number | undefined;
  body: string;
}

/** An hour of verbose_json is under 1 MB. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

type ResponseFormat = "verbose_json" | "json";

/** Any server with `/v1/audio/transcriptions`: OpenAI, speaches, vLLM, whisper.cpp. */
export function createOpenAiTranscriber(options: OpenAiTranscriberOptions): AsrProvider {
  const { engine, timeoutMs = 5 * 60_000, maxUploadBytes = 25 * 1024 * 1024 } = options;
  const endpoint = `${options.baseUrl.replace(/\/+(v1\/*)?$/, "")}/v1/audio/transcriptions`;
  // undici gives up on headers after 5 min by itself; a long clip on a busy server takes longer.
  const dispatcher = new Agent({
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  // Some models answer in plain json only; once that has worked, they are not asked for more again.
  let format: ResponseFormat = "verbose_json";

  const toUsd = (durationMs: number): number => (options.usdPerMinute * durationMs) / 60_000;

  async function send(
    input: AsrInput,
    format: ResponseFormat,
    signal: AbortSignal,
  ): Promise<Answered> {
    const form = await toForm(input, options.model, format, maxUploadBytes);
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      const response = await request(endpoint, {
        method: "POST",
        headers: options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` },
        body: form,
        dispatcher,
        signal: AbortSignal.any([signal, limit]),
      });
      const retryAfter = response.headers["retry-after"];
      return {
        status: response.statusCode,
        retryAfterMs: parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter),
        body: await response.body.text(),
      };
    } catch (error) {
      signal.throwIfAborted();
      throw new RetryableError("upstream_unavailable", `${engine} did not answer`, {
        cause: error,
        upstream: engine,
        costUsd: mayHaveArrived(error) ? toUsd(input.durationMs) : 0,
      });
    }
  }

  return {
    id: engine,
    supports: () => true,
    estimateUsd: toUsd,
    // It may be asked twice: see `format`.
    limitMs: 2 * timeoutMs,
    async transcribe(input, { signal }) {
      signal.throwIfAborted();
      let answer = await send(input, format, signal);
      if (rejectsFormat(answer.status) && format === "verbose_json") {
        answer = await send(input, "json", signal);
        if (answer.status === 200) format = "json";
      }
      if (answer.status !== 200) throw toError(answer, engine);
      const usd = toUsd(input.durationMs);
      const parsed = parseOpenAiAnswer(answer.body, input);
      if (parsed === null) {
        throw new RetryableError("bad_response", `${engine} answered no transcript`, {
          upstream: engine,
          costUsd: usd,
        });
      }
      return { ...parsed, usd };
    },
  };
}

function rejectsFormat(status: number): boolean {
  return status === 400 || status === 422;
}

async function toForm(
  { wavPath, mediaSha256, language }: AsrInput,
  model: string,
  format: ResponseFormat,
  maxUploadBytes: number,
): Promise<FormData> {
  const audio = await openAudio(wavPath);
  if (audio.size > maxUploadBytes) {
    throw new UnrecoverableError(
      "too_large",
      `the audio has ${audio.size} bytes; the transcription server takes ${maxUploadBytes}`,
    );
  }
  const form = new FormData();
  form.set("file", audio, `${mediaSha256}.wav`);
  form.set("model", model);
  form.set("response_format", format);
  if (format === "verbose_json") form.set("timestamp_granularities[]", "segment");
  if (language !== null) form.set("language", language.split("-")[0] ?? language);
  return form;
}

async function openAudio(wavPath: string): Promise<Blob> {
  try {
    // A blob of a file is read while it is sent, not before.
    return await openAsBlob(wavPath, { type: "audio/wav" });
  } catch (cause) {
    throw new RetryableError("storage_failed", "the prepared audio cannot be read", { cause });
  }
}

function toError({ status, retryAfterMs, body }: Answered, upstream: EngineId): Error {
  if (status === 413) {
    return new UnrecoverableError("too_large", `${upstream} says the audio is too large`, {
      upstream,
    });
  }
  // OpenAI reports an empty account as 429 with this code; waiting would not help.
  if (status === 429 && parseErrorCode(body) === "insufficient_quota") {
    return new RetryableError("provider_balance", `${upstream} says the account is empty`, {
      upstream,
    });
  }
  return toStatusError(status, upstream, retryAfterMs === undefined ? {} : { retryAfterMs });
}
