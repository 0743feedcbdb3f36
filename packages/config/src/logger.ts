import { type DestinationStream, type Logger, pino } from "pino";
import type { Config } from "./config.ts";

/** Names that never belong in a log; a net under the rule that nobody logs them. */
const SECRET_PATHS = [
  "authorization",
  "cookie",
  "apiKey",
  "password",
  "url",
  "headers",
  "transcript",
  "text",
].flatMap((name) => [name, `*.${name}`]);

/** The process's logger: JSON lines on stdout. The message is a constant; data is in fields. */
export function createLogger(
  config: Pick<Config, "LOG_LEVEL">,
  name: string,
  destination?: DestinationStream,
): Logger {
  const options = {
    name,
    level: config.LOG_LEVEL,
    redact: { paths: SECRET_PATHS, censor: "[redacted]" },
    serializers: { err: toLoggedError },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

interface LoggedError {
  name: string;
  message: string;
  code: unknown;
  stack: string | undefined;
  cause: LoggedError | undefined;
}

/** An allow-list: errors of libraries carry requests, headers and bodies in other properties. */
function toLoggedError(error: unknown): LoggedError {
  if (!(error instanceof Error)) {
    return {
      name: typeof error,
      message: "not an error",
      code: undefined,
      stack: undefined,
      cause: undefined,
    };
  }
  return {
    name: error.name,
    message: withoutUrls(error.message),
    code: "code" in error ? error.code : undefined,
    stack: error.stack === undefined ? undefined : withoutUrls(error.stack),
    cause: error.cause === undefined ? undefined : toLoggedError(error.cause),
  };
}

/**
 * Signed links carry their signature in the query; user info carries passwords. Each match begins at `://` and looks
 * ahead only, so the time grows with the text: a pattern that begins with the scheme takes its square on `a+a+a+…`.
 */
export function withoutUrls(text: string): string {
  return text.replace(
    /(:\/\/)(?:[^\s/?#]*@)?([^\s?#"'`)]*)([?#][^\s"'`)]*)?/g,
    (_all, slashes: string, rest: string, query) =>
      `${slashes}${rest}${query === undefined ? "" : "?[redacted]"}`,
  );
}
