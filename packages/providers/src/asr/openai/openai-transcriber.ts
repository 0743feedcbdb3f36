import {
  type AsrInput,
  type AsrOutput,
  type AsrProvider,
  ClipmillError,
  type EngineId,
  RetryableError,
  UnrecoverableError,
} from "@clipmill/domain";
import { Agent, request } from "undici";
import { ACCEPT_ENCODING, BodyError, readBodyText } from "../../http/body-text.ts";
import { type Multipart, toMultipart } from "./multipart.ts";
import { mayHaveArrived, parseRetryAfter } from "../../http/upstream-error.ts";
import { createHeardParts } from "./heard-parts.ts";
import {
  isNoAnswer,
  type OpenAiAnswer,
  parseErrorBody,
  parseOpenAiAnswer,
} from "./openai-answer.ts";
import { type Answered, isTooShort, rejectsFormat, toOpenAiError } from "./openai-error.ts";
import { createSoundMemory } from "./sound-memory.ts";
import { toUploads, type Upload } from "./uploads.ts";

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
  /**
   * Largest WAV that the server takes; a larger one is sent in parts. Default 25 MiB, the limit of OpenAI and vLLM:
   * about 13 min. 0: no limit.
   */
  maxUploadBytes?: number;
}

/** An hour of verbose_json is under 1 MB. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** How often an upload that is too large is cut into smaller parts. */
const CUTS_MAX = 2;

type ResponseFormat = "verbose_json" | "json";

/** What the connection and the server need to know of each upload. */
interface Sending {
  input: AsrInput;
  upload: Upload;
  signal: AbortSignal;
  /** Paid for earlier parts of the clip. */
  spentUsd: number;
}

/** Calls for one clip: its parts, one after the other, and a second try in another format. */
const CALLS_MAX = 6;
/** Of one call. */
const CALL_TIMEOUT_MS = 5 * 60_000;

/** Any server with `/v1/audio/transcriptions`: OpenAI, speaches, vLLM, whisper.cpp. */
export function createOpenAiTranscriber(options: OpenAiTranscriberOptions): AsrProvider {
  const { engine, maxUploadBytes = 25 * 1024 * 1024, timeoutMs = CALL_TIMEOUT_MS } = options;
  const send = createSender(options);
  const parts = createHeardParts<OpenAiAnswer>();
  const memory = createSoundMemory();
  // Some models answer in plain json only; once that has worked, they are not asked for more again.
  let format: ResponseFormat = "verbose_json";
  // Lower once the server has refused less than the limit that we know of.
  let limitBytes = maxUploadBytes === 0 ? Number.POSITIVE_INFINITY : maxUploadBytes;
  const toUsd = (durationMs: number): number => (options.usdPerMinute * durationMs) / 60_000;

  async function hear(sending: Sending): Promise<OpenAiAnswer & { usd: number }> {
    const { input, upload, spentUsd } = sending;
    let answer = await send(sending, format);
    if (format === "verbose_json" && rejectsFormat(answer)) {
      answer = await send(sending, "json");
      if (answer.status === 200) format = "json";
    }
    if (isTooShort(answer)) return { ...SILENCE, usd: 0 };
    if (answer.status !== 200) throw toOpenAiError(answer, engine, { costUsd: spentUsd });
    const usd = toUsd(upload.durationMs);
    const clip = { durationMs: upload.durationMs, language: input.language };
    const parsed = parseOpenAiAnswer(answer.body, clip);
    if (parsed === null) throw toUnreadable(answer, engine, { spentUsd, usd });
    return { ...parsed, usd };
  }

  async function hearAll(
    input: AsrInput,
    uploads: readonly Upload[],
    signal: AbortSignal,
  ): Promise<AsrOutput> {
    const heard = parts.open(`${input.mediaSha256} ${input.language} ${limitBytes}`);
    let spentUsd = 0;
    // In order and one by one: an attempt that fails loses no more than the part that failed.
    for (const [at, upload] of uploads.entries()) {
      if (heard.answers.has(at)) continue;
      try {
        const { usd, ...answer } = await hear({ input, upload, signal, spentUsd });
        spentUsd += usd;
        heard.answers.set(at, answer);
      } catch (error) {
        if (isTooLarge(error)) limitBytes = Math.floor(upload.bytes / 2);
        if (isUnreadable(error)) parts.fail(heard, withoutCost(error));
        throw error;
      }
    }
    parts.close(heard);
    const answers = uploads.map(({ offsetMs }, at) => ({
      offsetMs,
      ...(heard.answers.get(at) ?? SILENCE),
    }));
    return { ...joinParts(answers), usd: spentUsd };
  }

  const open = (input: AsrInput): Promise<Upload[]> =>
    toUploads(input, { maxBytes: limitBytes, memory });

  async function transcribe(
    input: AsrInput,
    opened: readonly Upload[],
    signal: AbortSignal,
  ): Promise<AsrOutput> {
    for (let uploads = opened, cuts = 0; ; cuts++) {
      try {
        const heard = await hearAll(input, uploads, signal);
        // The server has them, and nobody else reads them.
        for (const { audio } of uploads) if (Buffer.isBuffer(audio)) memory.give(audio);
        return heard;
      } catch (error) {
        if (!isTooLarge(error) || cuts === CUTS_MAX) throw error;
        uploads = await open(input);
      }
    }
  }

  return {
    id: engine,
    supports: () => true,
    estimateUsd: toUsd,
    limitMs: CALLS_MAX * timeoutMs,
    async prepare(input, { signal }) {
      signal.throwIfAborted();
      const opened = await open(input);
      return (options) => transcribe(input, opened, options.signal);
    },
    async transcribe(input, { signal }) {
      signal.throwIfAborted();
      return await transcribe(input, await open(input), signal);
    },
  };
}

const SILENCE: OpenAiAnswer = { language: null, segments: [], saidNoSpeech: false };

/** The server's word, not ours: a smaller part may do. */
function isTooLarge(error: unknown): boolean {
  return (
    error instanceof ClipmillError && error.code === "too_large" && error.upstream !== undefined
  );
}

function isUnreadable(error: unknown): error is ClipmillError {
  return error instanceof ClipmillError && error.code === "invalid_answer";
}

/** The same error for a call that was not made. */
function withoutCost({ message, upstream, cause }: ClipmillError): UnrecoverableError {
  return new UnrecoverableError("invalid_answer", message, {
    cause,
    details: { sent: false },
    ...(upstream === undefined ? {} : { upstream }),
  });
}

function joinParts(
  parts: readonly (OpenAiAnswer & { offsetMs: number })[],
): Omit<AsrOutput, "usd"> {
  const worded = parts.filter(({ segments }) => segments.length > 0);
  return {
    language: (worded[0] ?? parts[0])?.language ?? null,
    segments: parts.flatMap(({ segments, offsetMs }) =>
      segments.map((segment) => ({
        ...segment,
        startMs: segment.startMs + offsetMs,
        endMs: segment.endMs + offsetMs,
      })),
    ),
    saidNoSpeech: worded.length > 0 && worded.every(({ saidNoSpeech }) => saidNoSpeech),
  };
}

/**
 * Success that holds no transcript. A page or nothing at all comes from a proxy, and an error is told by some servers with
 * 200: those may be tried again. Anything else was paid for, and would be paid for again.
 */
function toUnreadable(
  { body }: Answered,
  upstream: EngineId,
  { spentUsd, usd }: { spentUsd: number; usd: number },
): ClipmillError {
  if (isNoAnswer(body)) {
    return new RetryableError("bad_response", `${upstream} sent a page instead of a transcript`, {
      upstream,
      costUsd: spentUsd,
    });
  }
  if (parseErrorBody(body) !== null) {
    return new RetryableError("upstream_unavailable", `${upstream} reports an error of its own`, {
      upstream,
      costUsd: spentUsd,
    });
  }
  return new UnrecoverableError("invalid_answer", `${upstream} answered no transcript`, {
    upstream,
    costUsd: spentUsd + usd,
  });
}

function createSender(options: OpenAiTranscriberOptions) {
  const { engine, apiKey, model, timeoutMs = CALL_TIMEOUT_MS } = options;
  const endpoint = `${options.baseUrl.replace(/\/+(v1\/*)?$/, "")}/v1/audio/transcriptions`;
  // undici gives up on headers after 5 min by itself; a long clip on a busy server takes longer.
  const dispatcher = new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
  const headers = {
    "accept-encoding": ACCEPT_ENCODING,
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  };
  return async function send(
    { input, upload, signal, spentUsd }: Sending,
    format: ResponseFormat,
  ): Promise<Answered> {
    const limit = AbortSignal.timeout(timeoutMs);
    const usd = (options.usdPerMinute * upload.durationMs) / 60_000;
    const form = toForm(input, upload, { model, format });
    try {
      const {
        statusCode,
        headers: received,
        body,
      } = await request(endpoint, {
        method: "POST",
        headers: { ...headers, ...form.headers },
        body: form.body,
        dispatcher,
        signal: AbortSignal.any([signal, limit]),
      });
      const retryAfter = received["retry-after"];
      return {
        status: statusCode,
        retryAfterMs: parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter),
        body: await readBodyText(body, received, { maxBytes: MAX_ANSWER_BYTES }),
      };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof BodyError) {
        throw new UnrecoverableError("invalid_answer", `${engine} answered what cannot be read`, {
          cause: error,
          upstream: engine,
          costUsd: spentUsd + usd,
        });
      }
      throw new RetryableError("upstream_unavailable", `${engine} did not answer`, {
        cause: error,
        upstream: engine,
        costUsd: spentUsd + (mayHaveArrived(error) ? usd : 0),
      });
    }
  };
}

function toForm(
  { mediaSha256, language }: AsrInput,
  { audio }: Upload,
  { model, format }: { model: string; format: ResponseFormat },
): Multipart {
  const fields = {
    model,
    response_format: format,
    ...(format === "verbose_json" ? { "timestamp_granularities[]": "segment" } : {}),
    ...(language === null ? {} : { language: language.split("-")[0] ?? language }),
  };
  const file = { field: "file", name: `${mediaSha256}.wav`, type: "audio/wav", content: audio };
  return toMultipart(fields, file);
}
