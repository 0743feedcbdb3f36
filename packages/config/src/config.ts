import { resolve } from "node:path";
import type { z } from "zod";
import { asr } from "./env/asr.ts";
import { dashboard } from "./env/dashboard.ts";
import { database } from "./env/database.ts";
import { llm } from "./env/llm.ts";
import { media } from "./env/media.ts";
import { ocr } from "./env/ocr.ts";
import { posts } from "./env/posts.ts";
import { queue } from "./env/queue.ts";
import { runtime } from "./env/runtime.ts";
import { sandbox } from "./env/sandbox.ts";
import { service } from "./env/service.ts";
import { storage } from "./env/storage.ts";
import { waiting } from "./env/waiting.ts";
import { worker } from "./env/worker.ts";
import { httpUrl } from "./variable.ts";

/**
 * Every environment variable that clipmill reads, with its meaning; the table in SETTINGS.md is compared with it by a
 * test, also its order. A variable that is set to the empty string counts as not set.
 */
export const ENV = {
  ...service,
  ...database,
  ...queue,
  ...worker,
  ...waiting,
  ...posts,
  ...asr,
  ...ocr,
  ...llm,
  ...media,
  ...storage,
  ...sandbox,
  ...dashboard,
  ...runtime,
} as const;

/** `PROXY_<CC>`, such as `PROXY_DE=http://user:password@proxy.example:8080`: see SETTINGS.md. */
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
    else problems.push(`${name}: ${toProblem(parsed.error.issues[0])}. ${meaning}`);
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

/** Zod's words are for programmers: what was typed is always text. */
function toProblem(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === "invalid_type" && issue.expected === "number") return "not a number";
  return issue?.message ?? "invalid";
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
