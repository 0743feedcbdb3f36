import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import type { Answer } from "./claude/answer.ts";
import { type Delivery, toHalf } from "./faults/apply-fault.ts";

const DRIP_PIECES = 50;
const OVERSIZED_BYTES = 100_000_000_000;

/** Sends an answer at its pace. Ends when the answer is out or the caller has hung up. */
export async function deliver(reply: FastifyReply, { answer, pace }: Delivery): Promise<void> {
  if (pace === "whole") {
    await reply.code(answer.status).headers(answer.headers).send(answer.body);
    return;
  }
  reply.hijack();
  if (pace === "never") return;
  const { status, headers, body } = answer;
  if (pace === "endless") {
    reply.raw.writeHead(status, headers);
    await repeat(reply.raw, body);
    return;
  }
  const length = pace === "oversized" ? OVERSIZED_BYTES : body.length;
  reply.raw.writeHead(status, { ...headers, "content-length": String(length) });
  if (pace === "cut-off" || pace === "oversized") {
    reply.raw.write(pace === "cut-off" ? toHalf(body) : body, () => reply.raw.destroy());
    return;
  }
  await drip(reply.raw, answer, pace.intervalMs);
}

async function repeat(raw: FastifyReply["raw"], body: Buffer): Promise<void> {
  const gone = once(raw, "close");
  while (!raw.destroyed && body.length > 0) {
    if (!raw.write(body)) await Promise.race([once(raw, "drain"), gone]);
  }
  raw.end();
}

async function drip(raw: FastifyReply["raw"], { body }: Answer, intervalMs: number): Promise<void> {
  const size = Math.max(1, Math.ceil(body.length / DRIP_PIECES));
  for (let at = 0; at < body.length && !raw.destroyed; at += size) {
    raw.write(body.subarray(at, at + size));
    await delay(intervalMs, undefined, { ref: false });
  }
  raw.end();
}
