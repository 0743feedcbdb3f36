import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

const ROTATE_OVER_BYTES = 10_000_000;
const KEPT_LINES = 20;
const PINO_WARN = 40;

export interface ChildLog {
  path: string;
  /** Takes output as it comes, in pieces of any size. */
  write(chunk: string): void;
  /** The last lines, for when the child has died. */
  tail(): string;
  close(): void;
}

/**
 * Keeps a child's output in `<directory>/<name>.log` (and the one before it), and passes on what a person should
 * see: warnings and errors, one line each, without their fields.
 */
export function openChildLog(
  directory: string,
  name: string,
  notice: (line: string) => void,
): ChildLog {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${name}.log`);
  let bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let fd = openSync(path, "a", 0o600);
  let rest = "";
  const last: string[] = [];

  function keep(line: string): void {
    if (bytes > ROTATE_OVER_BYTES) {
      closeSync(fd);
      renameSync(path, `${path}.1`);
      fd = openSync(path, "a", 0o600);
      bytes = 0;
    }
    bytes += writeSync(fd, `${line}\n`);
    last.push(line);
    if (last.length > KEPT_LINES) last.shift();
    const summary = toNotice(line);
    if (summary !== null) notice(`${name}: ${summary}`);
  }

  return {
    path,
    write(chunk) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) keep(line);
    },
    tail: () =>
      [...last, rest]
        .filter((line) => line !== "")
        .map(toPlain)
        .join("\n"),
    close() {
      if (rest !== "") keep(rest);
      closeSync(fd);
    },
  };
}

interface LogLine {
  level: number;
  msg: string;
  code?: unknown;
  err?: { message?: unknown };
}

function parseLine(line: string): LogLine | null {
  if (!line.startsWith("{")) return null;
  try {
    const value = JSON.parse(line) as Partial<LogLine>;
    return typeof value.level === "number" && typeof value.msg === "string"
      ? (value as LogLine)
      : null;
  } catch {
    return null;
  }
}

function toNotice(line: string): string | null {
  const entry = parseLine(line);
  return entry === null || entry.level < PINO_WARN ? null : toSentence(entry);
}

function toPlain(line: string): string {
  const entry = parseLine(line);
  return entry === null ? line : toSentence(entry);
}

function toSentence({ msg, code, err }: LogLine): string {
  const detail = typeof err?.message === "string" ? `: ${err.message}` : "";
  return `${msg}${typeof code === "string" ? ` (${code})` : ""}${detail}`;
}
