import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the fake does with one post: prints it, or fails as the real program does. */
export type YtDlpEnd = { print: string } | { error: string; exitCode?: number } | { hang: true };

export interface FakeYtDlp extends AsyncDisposable {
  path: string;
  /** For the next call alone; after it the posts count again. */
  endNext(end: YtDlpEnd): Promise<void>;
  /** The arguments of the calls so far. */
  calls(): Promise<string[][]>;
}

/**
 * A program that behaves as yt-dlp does, without a network: it prints what `posts` has for the id in its last
 * argument, and refuses arguments that the real one does not know.
 */
export async function createFakeYtDlp(posts: Record<string, YtDlpEnd>): Promise<FakeYtDlp> {
  const directory = await mkdtemp(join(tmpdir(), "clipmill-ytdlp-"));
  const at = (name: string) => join(directory, name);
  await writeFile(at("posts.json"), JSON.stringify(posts));
  await writeFile(at("calls.jsonl"), "");
  await writeFile(at("yt-dlp"), `#!${process.execPath}\n${PROGRAM}`);
  await chmod(at("yt-dlp"), 0o755);
  return {
    path: at("yt-dlp"),
    endNext: (end) => writeFile(at("next.json"), JSON.stringify(end)),
    async calls() {
      const lines = (await readFile(at("calls.jsonl"), "utf8")).trim().split("\n");
      return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as string[]);
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Its options are those of releases from 2023 to 2026. */
const PROGRAM = `
const { appendFileSync, existsSync, readFileSync, rmSync } = require("node:fs");
const at = (name) => require("node:path").join(__dirname, name);
const args = process.argv.slice(2);
if (args.includes("--version")) { console.log("2026.08.19"); process.exit(0); }
appendFileSync(at("calls.jsonl"), JSON.stringify(args) + "\\n");
const known = /^--(ignore-config|no-cache-dir|no-playlist|skip-download|write-subs|sub-langs=all|dump-single-json|(socket-timeout|extractor-retries)=\\d+)$/;
const end = args.indexOf("--");
const strange = args.slice(0, end).find((arg) => !known.test(arg));
if (end === -1 || strange !== undefined) {
  console.error("yt-dlp: error: no such option: " + strange);
  process.exit(2);
}
const id = /\\/video\\/(\\d+)$/.exec(args[end + 1])?.[1];
let next = JSON.parse(readFileSync(at("posts.json"), "utf8"))[id];
if (existsSync(at("next.json"))) {
  next = JSON.parse(readFileSync(at("next.json"), "utf8"));
  rmSync(at("next.json"));
}
if (next === undefined) next = { error: "Unsupported URL: " + args[end + 1] };
console.error("WARNING: Your yt-dlp version is older than 90 days!");
if (next.hang) setInterval(() => {}, 1000);
else if (next.print !== undefined) console.log(next.print);
else {
  console.error("ERROR: [TikTok] " + id + ": " + next.error);
  console.log("null");
  process.exitCode = next.exitCode ?? 1;
}
`;
