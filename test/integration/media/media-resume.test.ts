import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Storage } from "@clipmill/domain";
import {
  createCdnFetcher,
  createFileStorage,
  createSafeHttp,
  isCdnHost,
} from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startLoopback } from "../../support/fakes/loopback.ts";

const signal = new AbortController().signal;
const CLIP = Buffer.concat([
  Buffer.from("\0\0\0\x18ftypisom\0\0\x02\0isomiso2"),
  randomBytes(200_000),
]);

let directory: string;
let storage: Storage;
const closing: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-resume-"));
  storage = await createFileStorage({ directory });
});
afterEach(async () => {
  for (const part of closing.splice(0).reverse()) await part.close();
  await rm(directory, { recursive: true });
});

interface Cdn {
  etag: string | null;
  /** Bytes of each connection's body; the last entry counts for all that follow. */
  breakAfter: readonly number[];
  /** What it does with a Range; default: as it should. */
  answerRange?: (from: number, response: ServerResponse) => void;
  /** Default: the length is announced. */
  chunked?: boolean;
}

async function untilWritten(bytes: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const scratch = join(directory, "scratch");
      const [name = "none"] = await readdir(scratch);
      expect((await stat(join(scratch, name))).size).toBeGreaterThanOrEqual(bytes);
    },
    { interval: 5, timeout: 5_000 },
  );
}

/** A CDN whose connections break, and what was asked of it. */
async function startCdn({ etag, breakAfter, answerRange, chunked = false }: Cdn) {
  const asked: { range: string | undefined; ifRange: string | undefined }[] = [];
  const server = await startLoopback((request: IncomingMessage, response) => {
    const { range, "if-range": ifRange } = request.headers;
    const limit = breakAfter[Math.min(asked.length, breakAfter.length - 1)] ?? CLIP.length;
    asked.push({ range, ifRange: ifRange as string | undefined });
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    response.setHeader("content-type", "video/mp4");
    if (etag !== null) response.setHeader("etag", etag);
    if (range !== undefined && answerRange !== undefined) return answerRange(from, response);
    if (range !== undefined) {
      response.statusCode = 206;
      response.setHeader("content-range", `bytes ${from}-${CLIP.length - 1}/${CLIP.length}`);
    }
    if (!chunked) response.setHeader("content-length", CLIP.length - from);
    const part = CLIP.subarray(from, from + limit);
    response.write(part);
    if (from + part.length === CLIP.length) response.end();
    // Bytes that nobody has read yet are lost with their connection, and then nobody could tell what is asked next.
    else void untilWritten(from + part.length).then(() => response.socket?.end());
  });
  closing.push(server);
  return { origin: server.origin, asked };
}

async function fetchFrom(origin: string, on = signal) {
  const http = createSafeHttp({ allowHost: isCdnHost, allowLoopback: origin, upstream: "cdn" });
  closing.push(http);
  const fetcher = createCdnFetcher({ http, storage, idleTimeoutMs: 5_000 });
  return await fetcher.fetch(`${origin}/clip.mp4`, { signal: on, maxBytes: 1_000_000 });
}

async function listStored(): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe("a download whose connection breaks", () => {
  test.each([false, true])(
    "goes on where it broke off and hashes to the whole file (chunked: %s)",
    async (chunked) => {
      const { origin, asked } = await startCdn({ etag: '"v1"', breakAfter: [70_000], chunked });
      const stored = await fetchFrom(origin);
      expect(stored.sha256).toBe(createHash("sha256").update(CLIP).digest("hex"));
      expect(stored.bytes).toBe(CLIP.length);
      await using file = await storage.openLocal(stored.key, { signal });
      expect((await readFile(file.path)).equals(CLIP)).toBe(true);
      expect(asked).toEqual([
        { range: undefined, ifRange: undefined },
        { range: "bytes=70000-", ifRange: '"v1"' },
        { range: "bytes=140000-", ifRange: '"v1"' },
      ]);
    },
  );

  test("gives up after five times, since more are no bad luck", async () => {
    const { origin, asked } = await startCdn({ etag: '"v1"', breakAfter: [20_000] });
    await expect(fetchFrom(origin)).rejects.toMatchObject({ upstream: "cdn" });
    expect(asked).toHaveLength(6);
    expect(await listStored()).toEqual([]);
  });

  test("asks no more once a connection brought nothing", async () => {
    const { origin, asked } = await startCdn({ etag: '"v1"', breakAfter: [70_000, 0] });
    await expect(fetchFrom(origin)).rejects.toMatchObject({ upstream: "cdn" });
    expect(asked).toHaveLength(2);
  });

  test.each([
    ["names no version of it", null],
    ["names it by a weak ETag, which does not promise the same bytes", 'W/"v1"'],
  ])("is not continued when the server %s", async (_what, etag) => {
    const { origin, asked } = await startCdn({ etag, breakAfter: [70_000] });
    await expect(fetchFrom(origin)).rejects.toMatchObject({ code: "bad_response" });
    expect(asked).toHaveLength(1);
    expect(await listStored()).toEqual([]);
  });

  const others: [what: string, answer: (from: number, response: ServerResponse) => void][] = [
    ["another file by now", (_from, response) => response.writeHead(200).end(CLIP)],
    ["no longer there", (_from, response) => response.writeHead(403).end()],
    [
      "sent from another place",
      (from, response) =>
        response
          .writeHead(206, {
            "content-range": `bytes ${from - 1}-${CLIP.length - 1}/${CLIP.length}`,
          })
          .end(CLIP.subarray(from - 1)),
    ],
    [
      "of another length",
      (from, response) =>
        response
          .writeHead(206, { "content-range": `bytes ${from}-${CLIP.length}/${CLIP.length + 1}` })
          .end(Buffer.concat([CLIP.subarray(from), Buffer.from("x")])),
    ],
    ["a 206 without a range", (from, response) => response.writeHead(206).end(CLIP.subarray(from))],
  ];
  test.each(others)("ends with the break when the rest is %s", async (_what, answerRange) => {
    const { origin, asked } = await startCdn({ etag: '"v1"', breakAfter: [70_000], answerRange });
    await expect(fetchFrom(origin)).rejects.toMatchObject({
      code: "bad_response",
      message: "the body is shorter than announced",
    });
    expect(asked).toHaveLength(2);
    expect(await listStored()).toEqual([]);
  });

  test("ends with the signal's reason when it is aborted while it goes on", async () => {
    const controller = new AbortController();
    const reason = new Error("lease lost");
    const answerRange = () => controller.abort(reason);
    const { origin } = await startCdn({ etag: '"v1"', breakAfter: [70_000], answerRange });
    await expect(fetchFrom(origin, controller.signal)).rejects.toBe(reason);
    expect(await listStored()).toEqual([]);
  });
});
