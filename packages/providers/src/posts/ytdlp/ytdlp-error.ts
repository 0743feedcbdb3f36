import {
  type ClipmillError,
  RetryableError,
  SkipError,
  UnrecoverableError,
} from "@clipmill/domain";
import type { ProgramError } from "../../programs/run-program.ts";

/**
 * What an exit of yt-dlp means. It has one exit code for everything, so only its last ERROR line tells; the numbers
 * are TikTok's own status codes. A deleted post looks like a refusal there, so nothing ever is `gone`.
 */
export function toYtDlpError(error: ProgramError, upstream: string): ClipmillError {
  const options = { cause: error, upstream };
  if (error.reason === "missing") {
    return new RetryableError("engine_unavailable", "yt-dlp could not be started", options);
  }
  if (error.reason === "output") {
    return new RetryableError("bad_response", "yt-dlp printed without end", options);
  }
  if (error.reason !== "exit") {
    return new RetryableError("upstream_unavailable", `yt-dlp ended by ${error.reason}`, options);
  }
  const said = findErrorLine(error.stderrTail);
  if (/status code (10216|10222)\b|do not have permission to view|is private/i.test(said)) {
    return new SkipError("private", "yt-dlp says that the post is private", options);
  }
  if (/status code 10204\b|IP address is blocked/i.test(said)) {
    return new RetryableError("blocked", "TikTok refuses this machine's address", options);
  }
  if (/age.?restrict|comfortable for some audiences|confirm your age/i.test(said)) {
    return new UnrecoverableError("unsupported", AGE_RESTRICTED, options);
  }
  if (/Unsupported URL/i.test(said)) {
    return new UnrecoverableError("unsupported", "yt-dlp does not take this kind of post", options);
  }
  if (/HTTP Error 429/i.test(said)) {
    return new RetryableError("throttled", "TikTok asks yt-dlp to slow down", options);
  }
  if (
    /HTTP Error 5\d\d|timed out|Connection (reset|refused|aborted)|TransportError|urlopen error/i.test(
      said,
    )
  ) {
    return new RetryableError("upstream_unavailable", "yt-dlp did not reach TikTok", options);
  }
  if (/HTTP Error 403|JS challenge|log ?in for access|requiring login/i.test(said)) {
    return new RetryableError("blocked", "TikTok refuses this machine", options);
  }
  return new RetryableError("bad_response", "yt-dlp could not read the post", options);
}

const AGE_RESTRICTED =
  "yt-dlp says that the post is age-restricted: TikTok shows it to people who are logged in only";

function findErrorLine(stderr: string): string {
  return stderr.split("\n").findLast((line) => line.startsWith("ERROR:")) ?? "";
}
