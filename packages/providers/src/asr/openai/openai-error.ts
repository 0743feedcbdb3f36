import {
  type EngineId,
  type ErrorOptions,
  RetryableError,
  UnrecoverableError,
} from "@clipmill/domain";
import { toStatusError } from "../../http/upstream-error.ts";
import { parseErrorBody } from "./openai-answer.ts";

/** What a server answered, whatever its status. */
export interface Answered {
  status: number;
  retryAfterMs: number | undefined;
  body: string;
}

/** Said instead of 402, by code or, at some servers, in words only. */
const BALANCE =
  /insufficient_quota|billing|credit balance|payment required|exceeded your current quota/;

/**
 * The error for an answer that is not 200. What a person must set right about key, balance, address or model pauses
 * the provider; a 400 is about this audio.
 */
export function toOpenAiError(
  { status, retryAfterMs, body }: Answered,
  upstream: EngineId,
  options: Pick<ErrorOptions, "costUsd">,
): RetryableError | UnrecoverableError {
  if (status === 413) {
    return new UnrecoverableError("too_large", `${upstream} says the audio is too large`, {
      ...options,
      upstream,
    });
  }
  const said = parseErrorBody(body);
  const words = said === null ? "" : `${said.code} ${said.type} ${said.message}`;
  // OpenAI reports an empty account as 429; waiting would not help.
  if ([400, 403, 429].includes(status) && BALANCE.test(words)) {
    return new RetryableError("provider_balance", `${upstream} says the account is empty`, {
      ...options,
      upstream,
      details: { status },
    });
  }
  if (status === 404 || status === 405 || said?.code === "model_not_found") {
    return new RetryableError(
      "provider_key",
      `${upstream} does not know the model or the address: check ASR_MODEL and ASR_BASE_URL`,
      { ...options, upstream, details: { status } },
    );
  }
  return toStatusError(status, upstream, {
    ...options,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** Whether a server refuses `verbose_json`, as far as it tells: it names something else, or nothing. */
export function rejectsFormat({ status, body }: Answered): boolean {
  if (status !== 400 && status !== 422) return false;
  const said = parseErrorBody(body);
  if (said === null || `${said.param}${said.message}` === "") return true;
  return /response_format|verbose_json|timestamp_granularit/.test(`${said.param} ${said.message}`);
}

/** Whether a server says that there is too little sound to hear anything: that is silence, and no failure. */
export function isTooShort({ status, body }: Answered): boolean {
  if (status !== 400 && status !== 422) return false;
  const said = parseErrorBody(body);
  return (
    said !== null &&
    /audio_too_short|audio (file )?is too short/.test(`${said.code} ${said.message}`)
  );
}
