import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startProcess } from "./support/child.ts";
import { findFreePort } from "../support/servers/free-port.ts";
import { json, numberOption } from "./support/options.ts";
import { startProgram } from "./support/program.ts";
import { printReport } from "./support/report.ts";
import { createBenchDatabase, startServers, withClient } from "./support/servers.ts";
import { median } from "./support/stats.ts";

const POST_IDS = Array.from({ length: 100 }, (_, i) =>
  String(7_000_000_000_000_000_000n + BigInt(i)),
);
const CONNECTIONS = 10;
const POOL_SIZE = 10;
const POST_LOAD = fileURLToPath(new URL("./processes/post-load.ts", import.meta.url));

interface Load {
  /** Requests a second. */
  rate: number;
  /** Milliseconds. */
  p99: number;
  failed: number;
}

/** Posts with a minute of speech and a summary, in the rows that our stages leave. */
async function storePosts(databaseUrl: string): Promise<void> {
  const text = "the beans are ground a little finer than for a filter ".repeat(15);
  const segments = Array.from({ length: 15 }, (_, i) => {
    return { startMs: i * 4_000, endMs: i * 4_000 + 3_900, text: text.slice(0, 54) };
  });
  const summary = {
    tldr: "Grind finer.",
    takeaways: ["a", "b", "c"],
    sentiment: "neutral",
    cta: "none",
  };
  await withClient(databaseUrl, async (client) => {
    await client.query(
      `insert into post (post_id, url, title, author_unique_id, duration_ms, source, transcript_key, answer_key)
       select id, 'https://www.tiktok.com/@demo/video/' || id, 'Coffee', 'demo', 60000, 'bench', 't' || id, 'a' || id
       from unnest($1::text[]) as id`,
      [POST_IDS],
    );
    await client.query(
      `insert into media (sha256, kind, bytes, duration_ms, has_audio, has_video)
       select 'm' || id, 'video', 1, 60000, true, true from unnest($1::text[]) as id`,
      [POST_IDS],
    );
    await client.query(
      `insert into post_media (post_id, role, position, media_sha256)
       select id, 'video', 0, 'm' || id from unnest($1::text[]) as id`,
      [POST_IDS],
    );
    await client.query(
      `insert into transcript (key, media_sha256, recipe, hash, engine, origin, language, text, segments, duration_ms, verdict)
       select 't' || id, 'm' || id, 'r', 'h', 'bench', 'asr', 'en', $2, $3, 60000, 'speech'
       from unnest($1::text[]) as id`,
      [POST_IDS, text, JSON.stringify(segments)],
    );
    await client.query(
      `insert into answer (key, post_id, kind, evidence_hash, prompt_version, recipe, engine, sources, body)
       select 'a' || id, id, 'summary', 'h', '1', 'r', 'bench', '{transcript}', $2
       from unnest($1::text[]) as id`,
      [POST_IDS, JSON.stringify(summary)],
    );
    await client.query(
      "insert into engagement (post_id, plays, likes) select id, 1000, 10 from unnest($1::text[]) as id",
      [POST_IDS],
    );
    await client.query("create table stored_result (id text primary key, body jsonb not null)");
  });
}

/** What our API answers, stored whole under the post's id. Returns the length of an answer. */
async function storeResults(url: string, databaseUrl: string): Promise<number> {
  let length = 0;
  await withClient(databaseUrl, async (client) => {
    for (const id of POST_IDS) {
      const answer = await fetch(`${url}/${id}`);
      const result = await answer.text();
      if (!answer.ok) throw new Error(`the API does not serve a stored post: ${result}`);
      await client.query("insert into stored_result values ($1, $2)", [id, result]);
      length = result.length;
    }
  });
  return length;
}

async function load(url: string, seconds: number): Promise<Load> {
  const args = { url, postIds: POST_IDS, connections: CONNECTIONS, seconds };
  const { stdout } = await promisify(execFile)(process.execPath, [POST_LOAD, JSON.stringify(args)]);
  const result = JSON.parse(stdout) as Load;
  if (result.failed > 0) throw new Error(`${url} did not always answer`);
  return result;
}

const rounds = numberOption("rounds", 5);
const seconds = numberOption("seconds", 5);
const servers = await startServers();
try {
  const databaseUrl = await createBenchDatabase(servers);
  await storePosts(databaseUrl);
  const startApi = async (env: Record<string, string>) =>
    startProgram("api", {
      DATABASE_URL: databaseUrl,
      DATABASE_POOL: String(POOL_SIZE),
      REDIS_URL: servers.redisUrl,
      DASHBOARD_PASSWORD: "not-a-secret",
      PORT: String(await findFreePort()),
      ...env,
    });
  const api = await startApi({});
  // The same without a memory of answers: what a post costs that nobody has read lately. Shown, not judged.
  const composing = await startApi({ ANSWER_MEMORY_BYTES: "0" });
  const bytes = await storeResults(`${api.url}/v1/posts`, databaseUrl);
  const bare = await startProcess("bare-read.ts", { databaseUrl, poolSize: POOL_SIZE });
  const address = bare.message<{ url: string }>("url");
  bare.send({ type: "url" });
  const urls = {
    bare: `${(await address).url}/posts`,
    clipmill: `${api.url}/v1/posts`,
    composing: `${composing.url}/v1/posts`,
  };
  try {
    const loads: Record<keyof typeof urls, Load[]> = { bare: [], clipmill: [], composing: [] };
    for (const url of Object.values(urls)) await load(url, 2);
    for (let round = 0; round < rounds; round++) {
      for (const who of ["bare", "clipmill", "composing"] as const)
        loads[who].push(await load(urls[who], seconds));
    }
    const toRate = (who: keyof typeof urls) => median(loads[who].map(({ rate }) => rate));
    const toP99 = (who: keyof typeof urls) => median(loads[who].map(({ p99 }) => p99));
    const ratio = toRate("clipmill") / toRate("bare");
    const slower = toP99("clipmill") / toP99("bare");
    printReport(
      {
        name: "cached",
        rounds,
        medians: {
          bare_requests_per_second: toRate("bare"),
          clipmill_requests_per_second: toRate("clipmill"),
          bare_p99_ms: toP99("bare"),
          clipmill_p99_ms: toP99("clipmill"),
          p99_ratio: slower,
          without_memory_requests_per_second: toRate("composing"),
          without_memory_p99_ms: toP99("composing"),
          without_memory_ratio: toRate("composing") / toRate("bare"),
        },
        ratio,
        bar: "requests a second ≥ 0.85 of bare fastify + pg; p99 ≤ 1.3 ×",
        met: ratio >= 0.85 && slower <= 1.3,
        checks: { connections: CONNECTIONS, posts: POST_IDS.length, bytes, ...servers.facts },
        simulated: false,
      },
      { json },
    );
  } finally {
    await bare.stop();
    await composing.stop();
    await api.stop();
  }
} finally {
  await servers.close();
}
