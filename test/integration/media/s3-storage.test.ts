import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Storage } from "@clipmill/domain";
import { createS3Storage } from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeStorage } from "../../support/conformance/describe-storage.ts";
import { type Loopback, startLoopback } from "../../support/fakes/loopback.ts";
import { type S3Server, startS3Server } from "../../support/fakes/s3-server.ts";

/** The smallest that S3 takes for all parts but the last. */
const PART_BYTES = 5 * 1024 * 1024;
const signal = new AbortController().signal;
const LIMITS = { maxBytes: 100_000_000, signal };

describeStorage("S3 storage", async () => {
  const scratchDirectory = await mkdtemp(join(tmpdir(), "clipmill-s3-scratch-"));
  const server = await startS3Server();
  return {
    storage: await createS3Storage({ ...server, scratchDirectory }),
    listAll: async () => [...(await server.listAll()), ...(await readdir(scratchDirectory))],
    overwrite: (key, content) => server.overwrite(key, content),
    async close() {
      await server.close();
      await rm(scratchDirectory, { recursive: true });
    },
  };
});

describe("S3 storage", () => {
  let scratchDirectory: string;
  let server: S3Server;
  let storage: Storage;
  beforeEach(async () => {
    scratchDirectory = await mkdtemp(join(tmpdir(), "clipmill-s3-scratch-"));
    server = await startS3Server();
    storage = await createS3Storage({ ...server, scratchDirectory, partBytes: PART_BYTES });
  });
  afterEach(async () => {
    await server.close();
    await rm(scratchDirectory, { recursive: true });
  });

  async function* content(bytes: Buffer) {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  }

  /** Every request goes to the store through this, so that a test can break some. */
  async function startRelay(breaks: (line: string) => boolean): Promise<Loopback> {
    return await startLoopback((incoming, outgoing) => {
      if (breaks(`${incoming.method} ${incoming.url}`)) return void incoming.socket.destroy();
      const { method, headers } = incoming;
      const onward = request(`${server.endpoint}${incoming.url}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on("error", () => incoming.socket.destroy());
      incoming.pipe(onward);
    });
  }

  test("a file of three parts is uploaded in parts and read back whole", async () => {
    const relay = await startRelay(() => false);
    const relayed = await createS3Storage({
      ...server,
      endpoint: relay.origin,
      scratchDirectory,
      partBytes: PART_BYTES,
    });
    const bytes = randomBytes(2 * PART_BYTES + 1_000);
    const { key, sha256 } = await relayed.write("media", content(bytes), LIMITS);
    expect(sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    await using file = await relayed.openLocal(key, { signal });
    expect((await readFile(file.path)).equals(bytes)).toBe(true);
    const puts = relay.requests.filter((line) => line.startsWith("PUT"));
    expect(puts.map((line) => /partNumber=(\d)/.exec(line)?.[1])).toEqual(["1", "2", "3"]);
    await relay.close();
  });

  test("an upload that breaks in its second part shows nothing, and its parts are given up", async () => {
    const relay = await startRelay((line) => line.includes("partNumber=2"));
    const relayed = await createS3Storage({
      ...server,
      endpoint: relay.origin,
      scratchDirectory,
      partBytes: PART_BYTES,
    });
    const bytes = randomBytes(2 * PART_BYTES);
    const key = `media/${createHash("sha256").update(bytes).digest("hex")}` as const;
    await expect(relayed.write("media", content(bytes), LIMITS)).rejects.toMatchObject({
      code: "storage_failed",
    });
    expect(relay.requests.some((line) => line.includes("partNumber=1"))).toBe(true);
    expect(relay.requests.at(-1)).toMatch(/^DELETE .*uploadId=/);
    expect(await storage.has(key)).toBe(false);
    expect(await readdir(scratchDirectory)).toEqual([]);
    await relay.close();
  });

  test("an abort during an upload ends with its reason, and nothing is visible", async () => {
    const controller = new AbortController();
    const reason = new Error("lease lost");
    const relay = await startRelay((line) => {
      if (line.includes("partNumber=2")) controller.abort(reason);
      return false;
    });
    const relayed = await createS3Storage({
      ...server,
      endpoint: relay.origin,
      scratchDirectory,
      partBytes: PART_BYTES,
    });
    const bytes = randomBytes(2 * PART_BYTES);
    const key = `media/${createHash("sha256").update(bytes).digest("hex")}` as const;
    const written = relayed.write("media", content(bytes), {
      ...LIMITS,
      signal: controller.signal,
    });
    await expect(written).rejects.toBe(reason);
    expect(await storage.has(key)).toBe(false);
    expect(await readdir(scratchDirectory)).toEqual([]);
    await relay.close();
  });

  test("a presigned link reads the file without keys, and no longer once it was tampered with", async () => {
    const { key } = await storage.write("media", content(Buffer.from("clip")), LIMITS);
    const url = await storage.toUrl(key, { expiresInSeconds: 60 });
    expect(await (await fetch(url ?? "")).text()).toBe("clip");
    const other = (url ?? "").replace(/X-Amz-Signature=./, "X-Amz-Signature=g");
    expect((await fetch(other)).status).toBe(403);
  });

  test("a wrong key is storage_failed, and neither key is in the message", async () => {
    const secretAccessKey = "not-the-secret";
    const wrong = await createS3Storage({ ...server, secretAccessKey, scratchDirectory });
    const written = wrong.write("media", content(Buffer.from("clip")), LIMITS);
    await expect(written).rejects.toMatchObject({
      code: "storage_failed",
      message: "the object store answered 403",
      details: { status: 403 },
    });
    expect(await server.listAll()).toEqual([]);
  });

  test("a store that is down is storage_failed", async () => {
    const gone = await startLoopback(() => {});
    await gone.close();
    const down = await createS3Storage({ ...server, endpoint: gone.origin, scratchDirectory });
    await expect(down.has(`media/${"a".repeat(64)}`)).rejects.toMatchObject({
      code: "storage_failed",
    });
  });
});
