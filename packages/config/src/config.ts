import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { z } from "zod";

const flag = z
  .enum(["", "0", "1", "false", "true", "no", "yes"])
  .transform((value) => value === "1" || value === "true" || value === "yes");
const port = z.coerce.number().int().min(1).max(65_535);
const count = z.coerce.number().int().min(1);
const days = z.coerce.number().min(0).max(36_500);
const names = <const T extends readonly string[]>(allowed: T) =>
  z
    .string()
    .transform((value) =>
      value
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== ""),
    )
    .pipe(z.array(z.enum(allowed)).min(1));
const list = z.string().transform((value) =>
  value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== ""),
);
const httpUrl = z.url({ protocol: /^https?$/ }).transform((value) => value.replace(/\/+$/, ""));
const postgresUrl = z.url({ protocol: /^postgres(ql)?$/ });
const redisUrl = z.url({ protocol: /^rediss?$/ });

/**
 * Every environment variable that clipmill reads, with its meaning; the README's table is compared with it by a
 * test. A variable that is set to the empty string counts as not set.
 */
export const ENV = {
  CLIPMILL_HOME: v(
    z.string().default(".clipmill"),
    "Directory of data, media, secrets and downloaded engines.",
  ),
  DATABASE_URL: v(
    postgresUrl.optional(),
    "Postgres to use. Not set: an embedded one in CLIPMILL_HOME.",
  ),
  DATABASE_POOL: v(
    count.default(10),
    "Most Postgres connections of one process. Too few: claims wait for each other.",
  ),
  REDIS_URL: v(
    redisUrl.optional(),
    "Redis or Valkey ≥ 6.2 for BullMQ. Not set: BullMQ runs on Postgres.",
  ),
  ANSWER_MEMORY_BYTES: v(
    z.coerce.number().int().min(0).default(32_000_000),
    "Answers about stored posts that the API keeps ready in memory. Each is checked against Postgres whenever it is read. 0: none.",
  ),
  QUEUE_PREFIX: v(
    z
      .string()
      .regex(/^[a-z0-9-]{1,40}$/)
      .default("clipmill"),
    "BullMQ key prefix, for several installations on one Redis.",
  ),
  HOST: v(z.string().default("127.0.0.1"), "Address that the API listens on."),
  PORT: v(
    port.optional(),
    "Port of the API. Not set: 4600, or the next free one. Set and taken: an error.",
  ),
  CLIPMILL_QUEUES: v(
    names(["io", "gpu", "cpu", "llm"]).default(["io", "gpu", "cpu", "llm"]),
    "Queues that a worker drains.",
  ),
  CLIPMILL_ROLES: v(
    names(["dispatch", "reconcile", "work"]).default(["dispatch", "reconcile", "work"]),
    "What a worker process does.",
  ),
  IO_CONCURRENCY: v(
    count.default(20),
    "Downloads and calls at once per worker. TikLiveAPI starts to answer 429 above about 50 a second.",
  ),
  GPU_CONCURRENCY: v(count.default(1), "Recognitions at once per worker: one per GPU."),
  CPU_CONCURRENCY: v(
    count.default(Math.max(1, availableParallelism() - 1)),
    "ffmpeg and OCR children at once per worker; the default is cores − 1.",
  ),
  LLM_CONCURRENCY: v(count.default(8), "Model calls at once per worker."),
  LEASE_MS: v(
    count.default(30_000),
    "How long a silent worker keeps its jobs. Too low runs work twice; too high delays recovery.",
  ),
  POST_SOURCES: v(
    list.default([]),
    "Sources of posts in order: tiklive, tikwm, ytdlp. The next is asked where one is throttled, blocked, down, unpaid, or lacks that kind of post. Not set: tiklive.",
  ),
  TIKLIVE_API_KEY: v(z.string().min(1).optional(), "Key of TikLiveAPI."),
  TIKLIVE_BASE_URL: v(httpUrl.default("https://api.tikliveapi.com"), "Base URL of TikLiveAPI."),
  TIKLIVE_RATE_PER_MINUTE: v(
    count.default(200),
    "Calls a minute that your plan at TikLiveAPI allows, shared by all workers. Too high: 429s, pauses and a lower pace.",
  ),
  TIKLIVE_BURST: v(
    count.default(3),
    "How many of these may come late and so close together; they are taken off the steady pace.",
  ),
  ASR_RATE_PER_MINUTE: v(
    count.optional(),
    "Calls a minute that the speech server allows. Not set: no limit known; 429s still pause all workers.",
  ),
  LLM_RATE_PER_MINUTE: v(
    count.optional(),
    "Calls a minute that your Anthropic account allows for the model. Not set: no limit known; 429s still pause all workers.",
  ),
  UPSTREAM_IN_FLIGHT: v(
    count.default(20),
    "Calls at once to one upstream under one key, over all workers. Downloads from TikTok's CDN and short links have as many each, per machine.",
  ),
  TIKWM_BASE_URL: v(
    httpUrl.default("https://www.tikwm.com"),
    "Base URL of tikwm: free, one call a second.",
  ),
  YTDLP_PATH: v(
    z.string().min(1).default("yt-dlp"),
    "The yt-dlp program: free, brings TikTok's captions, knows no slideshows. Releases age within weeks.",
  ),
  REGION_LOCK: v(
    z.enum(["metadata", "proxy", "fail"]).default("metadata"),
    "What to do with a video that is not served here. metadata: go on without it and say so. proxy: fetch it through PROXY_<country>, else end as region_locked. fail: end so at once.",
  ),
  ASR_ENGINES: v(
    list.default([]),
    "Speech engines in order: pocketsphinx, openai. Not set: openai if ASR_BASE_URL is set, then pocketsphinx if installed.",
  ),
  ASR_BASE_URL: v(
    httpUrl.optional(),
    "Server with /v1/audio/transcriptions (speaches, vLLM, whisper.cpp, OpenAI).",
  ),
  ASR_API_KEY: v(z.string().min(1).optional(), "Key of that server, where it wants one."),
  ASR_MODEL: v(z.string().min(1).default("whisper-1"), "Model name sent to that server."),
  ASR_USD_PER_MINUTE: v(
    z.coerce.number().min(0).default(0),
    "Price of that server's minute of audio; 0 for one's own.",
  ),
  POCKETSPHINX_PATH: v(
    z.string().min(1).default("pocketsphinx_continuous"),
    "The pocketsphinx program.",
  ),
  TESSERACT_PATH: v(
    z.string().min(1).default("tesseract"),
    "The tesseract program, for on-screen text.",
  ),
  LLM_ENGINES: v(
    list.default([]),
    "Answer engines in order: claude, extractive. Not set: claude if ANTHROPIC_API_KEY is set, else extractive.",
  ),
  ANTHROPIC_API_KEY: v(z.string().min(1).optional(), "Key of the Anthropic API."),
  ANTHROPIC_BASE_URL: v(
    httpUrl.default("https://api.anthropic.com"),
    "Base URL of the Anthropic API.",
  ),
  CLAUDE_MODEL: v(z.string().min(1).default("claude-haiku-5-5"), "Model that summarises."),
  FFMPEG_PATH: v(
    z.string().min(1).default("ffmpeg"),
    "The ffmpeg program; ffprobe is looked for beside it.",
  ),
  ALLOW_BUNDLED_FFMPEG: v(
    flag.default(false),
    "1: use the old bundled ffmpeg for any file, not only for the demo's clips.",
  ),
  CLIPMILL_FFMPEG_BUNDLED: v(
    flag.default(false),
    "1: FFMPEG_PATH is the old bundled ffmpeg; set by `clipmill up` for the processes that it starts.",
  ),
  MAX_MEDIA_BYTES: v(count.default(500_000_000), "Largest file that is downloaded."),
  MAX_MEDIA_SECONDS: v(count.default(3_600), "Longest media that is processed."),
  STORAGE: v(
    z.enum(["file", "s3"]).default("file"),
    "Where media lies: `file` in CLIPMILL_HOME, or `s3` in a bucket, which several machines can share.",
  ),
  S3_ENDPOINT: v(
    httpUrl.optional(),
    "Base URL of an S3-compatible store; with STORAGE=s3 this and the next four belong together.",
  ),
  S3_BUCKET: v(z.string().min(1).optional(), "Bucket for media."),
  S3_REGION: v(z.string().min(1).default("auto"), "Region of the bucket; AWS wants its own."),
  S3_ACCESS_KEY_ID: v(z.string().min(1).optional(), "Access key of the bucket."),
  S3_SECRET_ACCESS_KEY: v(z.string().min(1).optional(), "Secret of that key."),
  RETAIN_MEDIA_DAYS: v(
    days.default(30),
    "Downloaded files older than this are deleted, unless open work needs them; 0 keeps them for ever. Texts stay.",
  ),
  RETAIN_AUDIO_DAYS: v(days.default(60), "The same for the audio that was made from them."),
  RETAIN_MEDIA_BYTES: v(
    z.coerce.number().int().min(0).default(0),
    "Most bytes of both together: above it the oldest files go, media first; 0 sets no limit.",
  ),
  CLIPMILL_SANDBOX: v(
    z.enum(["auto", "on", "off"]).default("auto"),
    "Local stand-ins for other people's machines. auto: on unless TIKLIVE_API_KEY is set.",
  ),
  CLIPMILL_SANDBOX_URL: v(
    httpUrl.optional(),
    "Address of the running sandbox; set by `clipmill up` for the processes that it starts.",
  ),
  DASHBOARD_PASSWORD: v(
    z.string().min(8).optional(),
    "Password of /queues. Not set: generated into CLIPMILL_HOME.",
  ),
  DASHBOARD_READ_ONLY: v(
    flag.default(true),
    "0: operators may retry and remove jobs in the queue dashboard.",
  ),
  LOG_LEVEL: v(
    z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
    "pino's level.",
  ),
  FAIL_AT: v(
    z.string().optional(),
    "Test switch, inert unless NODE_ENV=test: kill the process at this failpoint.",
  ),
  NODE_ENV: v(z.string().default("production"), "Only `test` matters: it arms FAIL_AT."),
} as const;

function v<T extends z.ZodType>(schema: T, meaning: string): { schema: T; meaning: string } {
  return { schema, meaning };
}

/** `PROXY_<CC>`, such as `PROXY_DE=http://user:password@proxy.example:8080`: see README. */
const PROXY_NAME = /^PROXY_([A-Z]{2})$/;

export type Config = Readonly<
  { [K in keyof typeof ENV]: z.infer<(typeof ENV)[K]["schema"]> } & {
    /** http(s) proxies by country, two upper-case letters. */
    PROXIES: Readonly<Record<string, string>>;
  }
>;

/** All problems at once, each with the variable and what is wrong. The values stay out: they may be secrets. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the configuration is wrong:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** Reads and checks the environment, once per process. Throws ConfigError. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, { schema, meaning }] of Object.entries(ENV)) {
    const raw = env[name];
    const parsed = schema.safeParse(raw === "" ? undefined : raw);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${name}: ${parsed.error.issues[0]?.message ?? "invalid"}. ${meaning}`);
  }
  values["PROXIES"] = readProxies(env, problems);
  if (values["STORAGE"] === "s3") {
    for (const name of ["S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]) {
      if (values[name] === undefined) problems.push(`${name}: STORAGE=s3 needs it`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  values["CLIPMILL_HOME"] = resolve(values["CLIPMILL_HOME"] as string);
  return Object.freeze(values) as Config;
}

function readProxies(env: NodeJS.ProcessEnv, problems: string[]): Record<string, string> {
  const proxies: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    const country = PROXY_NAME.exec(name)?.[1];
    if (country === undefined || value === undefined || value === "") continue;
    const parsed = httpUrl.safeParse(value);
    if (parsed.success) proxies[country] = parsed.data;
    else problems.push(`${name}: not the http(s) address of a proxy`);
  }
  return Object.freeze(proxies);
}
