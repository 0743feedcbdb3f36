import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createLogger } from "@clipmill/config";
import { fastify } from "fastify";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Api } from "../../../apps/api/src/deps.ts";
import { toFault } from "../../../apps/api/src/http/problem.ts";
import { registerSlowSenders } from "../../../apps/api/src/http/slow-senders.ts";
import { withPatience } from "../../../apps/api/src/v1/backfills/list/with-patience.ts";
import { startTestApi } from "../../support/posts/test-api.ts";

async function start(limits: { bodyMs: number; lingerMs: number }): Promise<Socket> {
  const api = fastify({ loggerInstance: createLogger({ LOG_LEVEL: "silent" }, "api") });
  registerSlowSenders(api as unknown as Api, limits);
  api.setErrorHandler((error, _request, reply) => {
    const fault = toFault(error);
    return reply.code(fault?.status ?? 500).send(fault?.detail ?? "unforeseen");
  });
  api.post("/json", () => "whole");
  api.get("/early", () => "early");
  const { port } = new URL(await api.listen({ host: "127.0.0.1", port: 0 }));
  onTestFinished(() => api.close());
  const socket = connect(Number(port), "127.0.0.1").setEncoding("utf8");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

const toHead = (start: string) =>
  `${start} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n`;

/** Goes on a byte at a time until the connection is closed, and says what came back. */
async function drip(socket: Socket, head: string): Promise<string> {
  let answer = "";
  socket.on("data", (piece) => (answer += String(piece)));
  socket.write(head);
  const timer = setInterval(() => socket.write(" "), 5);
  await new Promise((done) => socket.once("close", done));
  clearInterval(timer);
  return answer;
}

describe("a body that drips", () => {
  it("is given up with 408, and its connection with it", async () => {
    const answer = await drip(await start({ bodyMs: 100, lingerMs: 100 }), toHead("POST /json"));
    expect(answer).toMatch(/^HTTP\/1\.1 408 .*did not arrive within 0\.1 s/s);
  });

  it("holds no connection after an answer that did not need it", async () => {
    const answer = await drip(await start({ bodyMs: 60_000, lingerMs: 100 }), toHead("GET /early"));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("that is whole in time is answered", async () => {
    const socket = await start({ bodyMs: 10_000, lingerMs: 100 });
    socket.write(`${toHead("POST /json")}"`);
    socket.write(`${"x".repeat(998)}"`);
    const [answer] = (await once(socket, "data")) as [string];
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("the pace of a list", () => {
  async function read(pieces: readonly [waitMs: number, bytes: number][]): Promise<number> {
    let clock = 0;
    async function* arrive() {
      for (const [waitMs, bytes] of pieces) {
        clock += waitMs;
        yield Buffer.alloc(bytes);
      }
    }
    let bytes = 0;
    for await (const piece of withPatience(arrive(), () => clock)) {
      bytes += piece.length;
      // We take our time, which is not the sender's.
      clock += 1_000_000;
    }
    return bytes;
  }

  it("may be slow, and pause", async () => {
    const hour = Array.from({ length: 3_600 }, (): [number, number] => [1_000, 100]);
    expect(await read([[59_000, 1_000], ...hour])).toBe(361_000);
  });

  it("may not be that of a drip", async () => {
    const dripping = Array.from({ length: 100 }, (): [number, number] => [1_000, 1]);
    await expect(read(dripping)).rejects.toMatchObject({ fault: { status: 408 } });
  });
});

it("connections that bring no headers end, and there is a limit to how many there are", async () => {
  const { app } = await startTestApi();
  expect(app.server.headersTimeout).toBe(20_000);
  expect(app.server.maxConnections).toBeGreaterThan(1_000);
});
