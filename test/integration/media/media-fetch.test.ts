import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Storage } from "@clipmill/domain";
import {
  createCdnFetcher,
  createFileStorage,
  createSafeHttp,
  isCdnHost,
  type SafeHttpOptions,
} from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Handler,
  type Loopback,
  startLoopback,
  startRawServer,
} from "../../support/fakes/loopback.ts";

const CLIP = Buffer.concat([
  Buffer.from("\0\0\0\x18ftypisom\0\0\x02\0isomiso2"),
  Buffer.alloc(50_000, 1),
]);
const signal = new AbortController().signal;

let directory: string;
let storage: Storage;
const closing: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-fetch-"));
  storage = await createFileStorage({ directory });
});
afterEach(async () => {
  for (const part of closing.splice(0).reverse()) await part.close();
  await rm(directory, { recursive: true });
});

async function serve(handler: Handler): Promise<Loopback> {
  const server = await startLoopback(handler);
  closing.push(server);
  return server;
}

interface FetchCase {
  maxBytes?: number;
  idleTimeoutMs?: number;
  http?: Partial<SafeHttpOptions>;
  on?: AbortSignal;
}

/** Fetches a link of the sandbox's origin into storage. */
async function fetchFrom(
  origin: string,
  { maxBytes = 1_000_000, idleTimeoutMs = 5_000, http = {}, on = signal }: FetchCase = {},
) {
  const safe = createSafeHttp({
    allowHost: isCdnHost,
    allowLoopback: origin,
    upstream: "cdn",
    ...http,
  });
  closing.push(safe);
  const fetcher = createCdnFetcher({ http: safe, storage, idleTimeoutMs });
  return await fetcher.fetch(`${origin}/clip.mp4`, { signal: on, maxBytes });
}

async function listStored(): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe("the CDN fetcher", () => {
  test("stores a clip as it came, and asks like a browser without compression", async () => {
    let headers: NodeJS.Dict<string | string[]> = {};
    const { origin } = await serve((request, response) => {
      headers = request.headers;
      response.setHeader("content-type", "video/mp4").end(CLIP);
    });
    const stored = await fetchFrom(origin);
    expect(stored.bytes).toBe(CLIP.length);
    expect(await listStored()).toEqual([stored.sha256]);
    expect(headers).toMatchObject({
      referer: "https://www.tiktok.com/",
      "accept-encoding": "identity",
      "user-agent": expect.stringContaining("Mozilla/5.0"),
    });
  });

  test("takes a body that comes in single bytes and without a length", async () => {
    const small = CLIP.subarray(0, 40);
    const { origin } = await serve((_request, response) => {
      for (const byte of small) response.write(Buffer.from([byte]));
      response.end();
    });
    expect((await fetchFrom(origin)).bytes).toBe(40);
  });

  const faults: [what: string, code: string, handler: Handler][] = [
    ["403", "stale_link", (_, response) => response.writeHead(403).end()],
    ["410", "stale_link", (_, response) => response.writeHead(410).end()],
    ["404", "bad_response", (_, response) => response.writeHead(404).end()],
    ["204", "bad_response", (_, response) => response.writeHead(204).end()],
    [
      "206 that nobody asked for",
      "bad_response",
      (_, response) => response.writeHead(206).end(CLIP),
    ],
    ["500", "upstream_unavailable", (_, response) => response.writeHead(500).end()],
    ["503", "upstream_unavailable", (_, response) => response.writeHead(503).end()],
    [
      "a page that says it is one",
      "bad_response",
      (_, response) => response.setHeader("content-type", "text/html").end("<html>".repeat(100)),
    ],
    [
      "a page that says it is a video",
      "bad_response",
      (_, response) => response.setHeader("content-type", "video/mp4").end("<html>".repeat(100)),
    ],
    [
      "JSON",
      "bad_response",
      (_, response) =>
        response.setHeader("content-type", "application/json").end('{"a":"long enough"}'),
    ],
    [
      "a playlist that says it is a video",
      "bad_response",
      (_, response) =>
        response
          .setHeader("content-type", "video/mp4")
          .end("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    ],
    ["nothing", "bad_response", (_, response) => response.end()],
    ["three bytes", "bad_response", (_, response) => response.end("abc")],
    [
      "a gzip bomb",
      "bad_response",
      (_, response) =>
        response.setHeader("content-encoding", "gzip").end(gzipSync(Buffer.alloc(10_000_000))),
    ],
    [
      "a connection that is reset",
      "upstream_unavailable",
      (request, response) => {
        response.setHeader("content-length", CLIP.length);
        response.write(CLIP.subarray(0, 30_000), () => request.socket.resetAndDestroy());
      },
    ],
    [
      "a chunked body that breaks off",
      "upstream_unavailable",
      (request, response) => {
        response.write(CLIP.subarray(0, 30_000), () => request.socket.end());
      },
    ],
  ];

  test.each(faults)("%s is %s and leaves nothing behind", async (_what, code, handler) => {
    const { origin, requests } = await serve(handler);
    await expect(fetchFrom(origin)).rejects.toMatchObject({ code, upstream: "cdn" });
    expect(requests).toEqual(["GET /clip.mp4"]);
    expect(await listStored()).toEqual([]);
  });

  test("429 is throttled, with the wait that the CDN named", async () => {
    const { origin } = await serve((_, response) =>
      response.writeHead(429, { "retry-after": "7" }).end(),
    );
    await expect(fetchFrom(origin)).rejects.toMatchObject({
      code: "throttled",
      retryAfterMs: 7_000,
    });
  });

  test("a body shorter than its Content-Length is bad_response", async () => {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: ${CLIP.length}\r\n\r\n`;
    const server = await startRawServer(
      Buffer.concat([Buffer.from(head), CLIP.subarray(0, 30_000)]),
    );
    closing.push(server);
    await expect(fetchFrom(server.origin)).rejects.toMatchObject({ code: "bad_response" });
    expect(server.connections()).toBe(1);
    expect(await listStored()).toEqual([]);
  });

  test("bytes beyond the Content-Length are not taken", async () => {
    const head = "HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 100\r\n\r\n";
    const server = await startRawServer(Buffer.concat([Buffer.from(head), CLIP]));
    closing.push(server);
    const outcome = await fetchFrom(server.origin).catch((error: unknown) => error);
    expect(outcome).toSatisfy(
      (value: { bytes?: number; code?: string }) =>
        value.bytes === 100 || value.code === "upstream_unavailable",
    );
  });

  test("an announced length over the limit is too_large before a byte is read", async () => {
    const { origin } = await serve((_, response) =>
      response.setHeader("content-length", "999999999").write(CLIP),
    );
    await expect(fetchFrom(origin)).rejects.toMatchObject({ code: "too_large" });
  });

  test("an endless body without a length is too_large at the limit", async () => {
    const { origin } = await serve((_, response) => {
      const more = () =>
        void (response.write(CLIP) ? setImmediate(more) : response.once("drain", more));
      more();
    });
    await expect(fetchFrom(origin, { maxBytes: 500_000 })).rejects.toMatchObject({
      code: "too_large",
    });
    expect(await listStored()).toEqual([]);
  });

  test("silence in the middle of a body is upstream_unavailable", async () => {
    const { origin } = await serve((_, response) => response.write(CLIP));
    await expect(fetchFrom(origin, { idleTimeoutMs: 100 })).rejects.toMatchObject({
      code: "upstream_unavailable",
      details: { transport: "UND_ERR_BODY_TIMEOUT" },
    });
    expect(await listStored()).toEqual([]);
  });

  test("a drip that never pauses long ends at the total limit", async () => {
    const { origin } = await serve((_, response) => {
      const timer = setInterval(() => response.write(CLIP.subarray(0, 100)), 20);
      response.on("close", () => clearInterval(timer));
    });
    await expect(fetchFrom(origin, { http: { totalTimeoutMs: 300 } })).rejects.toMatchObject({
      code: "upstream_unavailable",
      message: "the transfer took too long",
    });
    expect(await listStored()).toEqual([]);
  });

  test("headers that never come are upstream_unavailable", async () => {
    const { origin } = await serve(() => {});
    await expect(fetchFrom(origin, { http: { headersTimeoutMs: 100 } })).rejects.toMatchObject({
      code: "upstream_unavailable",
      details: { transport: "UND_ERR_HEADERS_TIMEOUT" },
    });
  });

  test("an abort in the middle ends with its reason and leaves nothing behind", async () => {
    const controller = new AbortController();
    const reason = new Error("lease lost");
    const { origin } = await serve((_, response) => {
      response.write(CLIP, () => controller.abort(reason));
    });
    await expect(fetchFrom(origin, { on: controller.signal })).rejects.toBe(reason);
    expect(await listStored()).toEqual([]);
  });
});
