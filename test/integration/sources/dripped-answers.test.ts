import { createServer, type Server } from "node:http";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSafeHttp } from "@clipmill/providers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOpenAiTranscriber } from "../../../packages/providers/src/asr/openai/openai-transcriber.ts";
import { createApiClient } from "../../../packages/providers/src/http/api-client.ts";
import { toQuestion } from "../../support/conformance/summary-questions.ts";
import { connectClaude } from "../../support/fakes/ask-claude.ts";

/** The caller never gives up by itself. */
const { signal } = new AbortController();
const timeoutMs = 500;
/** A server that drips would take until the end of the test. */
const BOUND_MS = 15_000;

let server: Server;
let url: string;
let directory: string;
beforeAll(async () => {
  // Answers at once, and then sends a blank ten times a second, for ever: no socket is ever idle.
  server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/json" });
    response.write("{");
    const drip = setInterval(() => response.write(" "), 100);
    response.on("close", () => clearInterval(drip));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  directory = await mkdtemp(join(tmpdir(), "clipmill-drip-"));
  await writeFile(join(directory, "a.wav"), Buffer.alloc(1_000));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true });
});

describe("an answer that never ends ends with the limit of its call", () => {
  test.each<[who: string, call: () => Promise<unknown>]>([
    [
      "a source of posts",
      () => createApiClient({ baseUrl: url, engine: "x", timeoutMs }).get("/", {}, { signal }),
    ],
    [
      "a recogniser",
      () =>
        createOpenAiTranscriber({
          baseUrl: url,
          model: "m",
          engine: "x:m",
          usdPerMinute: 0,
          timeoutMs,
        }).transcribe(
          {
            wavPath: join(directory, "a.wav"),
            mediaSha256: "0".repeat(64),
            durationMs: 1_000,
            language: null,
          },
          { signal },
        ),
    ],
    ["a model", () => connectClaude(url, { timeoutMs }).summarize(toQuestion({}), { signal })],
    [
      "a page or a file",
      async () => {
        const http = createSafeHttp({
          allowHost: () => false,
          allowLoopback: url,
          totalTimeoutMs: timeoutMs,
        });
        const { body } = await http.request(`${url}/`, { signal });
        for await (const _chunk of body);
      },
    ],
  ])(
    "of %s",
    async (_who, call) => {
      await expect(call()).rejects.toMatchObject({ code: "upstream_unavailable" });
    },
    BOUND_MS,
  );
});
