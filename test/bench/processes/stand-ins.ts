import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { toClipName } from "../guide/clips.ts";
import { createOneGpu, type GpuUse } from "../guide/one-gpu.ts";
import { parsePostId, type PostKindName, POST_KINDS, WORDLESS_SECONDS } from "../guide/post-ids.ts";
import { toWords } from "../guide/words.ts";

/**
 * Everybody else's machines, in a process of their own whose CPU is counted apart: TikLiveAPI, TikTok's CDN, a speech
 * server with one GPU, and the Messages API. As cheap as they can be, with the latencies that they are told.
 */
export interface StandInArgs {
  clipDirectory: string;
}

/** How long each takes to answer, in ms. The speech server takes `gpuMs` for each clip, one after the other. */
export interface Latencies {
  detailMs: number;
  gpuMs: number;
  answerMs: number;
}

/** Since the last `reset`. */
export interface StandInReport extends GpuUse {
  type: "report";
  details: number;
  files: number;
  answers: number;
  /** How many different sounds were heard: as many as posts, or somebody got away with a cache. */
  distinctSounds: number;
}

const { clipDirectory } = JSON.parse(process.argv[2] ?? "{}") as StandInArgs;
const WAV_BYTES_PER_SECOND = 32_000;

let latencies: Latencies = { detailMs: 0, gpuMs: 0, answerMs: 0 };
let counts = { details: 0, files: 0, answers: 0 };
let url = "";
const sounds = new Set<string>();
const gpu = createOneGpu();

const readPicture = (name: string) => readFileSync(join(clipDirectory, name));
const cover = readPicture("cover.jpg");
const slides = Array.from(
  { length: Number(readFileSync(join(clipDirectory, "slides.json"), "utf8")) },
  (_, n) => readPicture(`slide-${n}.jpg`),
);
/** All files lie in memory. */
const clips = new Map(
  (Object.keys(POST_KINDS) as PostKindName[]).map((kind) => {
    const files: Buffer[] = [];
    for (let n = 0; existsSync(join(clipDirectory, toClipName(kind, n))); n++)
      files.push(readPicture(toClipName(kind, n)));
    return [kind, files];
  }),
);

function sendJson(response: ServerResponse, body: Buffer): void {
  response
    .writeHead(200, { "content-type": "application/json", "content-length": body.length })
    .end(body);
}

function toDetail(id: string): Buffer {
  const post = parsePostId(id);
  const toLink = (name: string) => `${url}/cdn/${name}`;
  if (post === undefined) return Buffer.from('{"status":"error","message":"Not found post"}');
  const isSlideshow = post.kind === "slideshow";
  const play = toLink(`${id}.${isSlideshow ? "m4a" : "mp4"}`);
  const images = isSlideshow ? slides.map((_, n) => toLink(`${id}-${n}.jpg`)) : null;
  const detail = {
    aweme_id: id,
    id,
    region: "US",
    title: `Bench post ${post.n}`,
    cover: toLink(`${id}.jpg`),
    origin_cover: toLink(`${id}.jpg`),
    duration: isSlideshow ? 0 : POST_KINDS[post.kind].seconds,
    play,
    wmplay: play,
    hdplay: play,
    size: 0,
    music: null,
    images,
    music_info: { id: "1", title: "a sound", author: "someone", original: true, duration: 12 },
    play_count: 1_000 + post.n,
    digg_count: 10,
    comment_count: 1,
    share_count: 1,
    create_time: 1_700_000_000,
    author: { id: "1", unique_id: "bench_creator", nickname: "B", follower_count: 5 },
  };
  return Buffer.from(JSON.stringify(detail));
}

/** An MP4 or M4A with a box at its end that says whose it is: every post has bytes of its own. */
function toMarkedClip(id: string, clip: Buffer): Buffer {
  const box = Buffer.alloc(8 + id.length);
  box.writeUInt32BE(box.length, 0);
  box.write(`free${id}`, 4, "latin1");
  return Buffer.concat([clip, box]);
}

/** A JPEG with the name of the file in a comment. */
function toMarkedPicture(name: string, picture: Buffer): Buffer {
  const comment = Buffer.alloc(4 + name.length);
  comment.writeUInt16BE(0xfffe, 0);
  comment.writeUInt16BE(2 + name.length, 2);
  comment.write(name, 4, "latin1");
  return Buffer.concat([picture.subarray(0, 2), comment, picture.subarray(2)]);
}

function sendFile(response: ServerResponse, name: string): void {
  const [, id = "", slide, extension] = /^(\d+)(?:-(\d+))?\.(\w+)$/.exec(name) ?? [];
  const post = parsePostId(id);
  if (post === undefined) return void response.writeHead(404).end();
  const files = clips.get(post.kind) ?? [];
  const clip = files[post.n % files.length];
  const picture = slide === undefined ? cover : slides[Number(slide)];
  const [type, body] =
    extension === "jpg"
      ? ["image/jpeg", picture && toMarkedPicture(name, picture)]
      : [extension === "m4a" ? "audio/mp4" : "video/mp4", clip && toMarkedClip(id, clip)];
  if (body === undefined) return void response.writeHead(404).end();
  response.writeHead(200, { "content-type": type, "content-length": body.length }).end(body);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** The WAV in a form, which states its own length. */
function findWav(form: Buffer): Buffer {
  const at = form.indexOf("RIFF");
  if (at === -1) throw new Error("the form holds no WAV");
  return form.subarray(at, at + 8 + form.readUInt32LE(at + 4));
}

async function transcribe(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const wav = findWav(await readBody(request));
  const use = gpu.begin(latencies.gpuMs);
  const hash = createHash("sha1").update(wav).digest();
  sounds.add(hash.toString("hex"));
  const seconds = wav.length / WAV_BYTES_PER_SECOND;
  const isWordless = Math.round(seconds) === WORDLESS_SECONDS;
  const lines = isWordless ? [] : toWords(hash.readUInt32LE(0), seconds);
  const body = Buffer.from(
    JSON.stringify({
      task: "transcribe",
      language: "english",
      duration: seconds,
      text: lines.map(({ text }) => text).join(""),
      segments: lines.map((line, id) => ({ id, ...line, avg_logprob: -0.2, no_speech_prob: 0.01 })),
    }),
  );
  await use.untilDone();
  use.end();
  sendJson(response, body);
}

const SUMMARY = {
  tldr: "Someone lists words that came to mind in front of a camera.",
  takeaways: ["Words follow each other", "Nothing is explained", "The clip ends suddenly"],
  sentiment: "neutral",
  cta: "Tell us which word was yours.",
};
const MESSAGE = Buffer.from(
  JSON.stringify({
    id: "msg_bench",
    type: "message",
    role: "assistant",
    model: "bench",
    content: [{ type: "text", text: JSON.stringify(SUMMARY) }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 300, output_tokens: 90 },
  }),
);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://stand-in");
  if (pathname === "/tiklive/post-detail/") {
    counts.details++;
    const id = /(\d{19})/.exec(searchParams.get("url") ?? "")?.[1] ?? "";
    if (latencies.detailMs > 0) await sleep(latencies.detailMs);
    return sendJson(response, toDetail(id));
  }
  if (pathname.startsWith("/cdn/")) {
    counts.files++;
    return sendFile(response, pathname.slice("/cdn/".length));
  }
  if (pathname === "/openai/v1/audio/transcriptions") return await transcribe(request, response);
  if (pathname === "/anthropic/v1/messages") {
    await readBody(request);
    counts.answers++;
    if (latencies.answerMs > 0) await sleep(latencies.answerMs);
    return sendJson(response, MESSAGE);
  }
  response.writeHead(404).end();
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    process.stderr.write(`stand-in: ${String(error)}\n`);
    response.destroy();
  });
});

function toReport(): StandInReport {
  return { type: "report", ...counts, distinctSounds: sounds.size, ...gpu.read() };
}

process.on("message", (message) => {
  const { type, ...rest } = message as { type: string };
  if (type === "latencies") latencies = rest as unknown as Latencies;
  if (type === "reset") {
    counts = { details: 0, files: 0, answers: 0 };
    sounds.clear();
    gpu.reset();
  }
  process.send?.(type === "report" ? toReport() : type === "url" ? { type, url } : { type });
});
// Nobody is left to stop us.
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => process.exit(0));
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  process.send?.({ type: "ready" });
});
