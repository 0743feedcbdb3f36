import { setTimeout as delay } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import type { Answer } from "./answer.ts";
import { type Delivery, toHalf } from "./apply-fault.ts";

const DRIP_PIECES = 50;

/** Sends an answer at its pace. Ends when the answer is out or the caller has hung up. */
export async function deliver(reply: FastifyReply, { answer, pace }: Delivery): Promise<void> {
  if (pace === "whole") {
    await reply.code(answer.status).headers(answer.headers).send(answer.body);
    return;
  }
  reply.hijack();
  if (pace === "never") return;
  reply.raw.writeHead(answer.status, {
    ...answer.headers,
    "content-length": String(answer.body.length),
  });
  if (pace === "cut-off") {
    reply.raw.write(toHalf(answer.body), () => reply.raw.destroy());
    return;
  }
  await drip(reply.raw, answer, pace.intervalMs);
}

async function drip(raw: FastifyReply["raw"], { body }: Answer, intervalMs: number): Promise<void> {
  const size = Math.max(1, Math.ceil(body.length / DRIP_PIECES));
  for (let at = 0; at < body.length && !raw.destroyed; at += size) {
    raw.write(body.subarray(at, at + size));
    await delay(intervalMs, undefined, { ref: false });
  }
  raw.end();
}
