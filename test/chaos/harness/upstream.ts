import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toPostKind } from "../pipelines/post.ts";
import { type AnswerDesk, createAnswerDesk } from "./answer-desk.ts";
import type { Random } from "./random.ts";

/** Other people's machines, slow and at times unwilling; it counts what it was asked. */
export interface Upstream {
  readonly url: string;
  readonly desk: AnswerDesk;
  /** Calls so far, by `stage/key`. */
  readonly calls: ReadonlyMap<string, number>;
  /** Answers that said 503. */
  failedCount(): number;
  close(): Promise<void>;
}

const DEFAULT_FAILURE_SHARE = 0.02;
/** Big enough that a disk which is full is noticed, small enough that thousands fit. */
const MEDIA_BYTES = 16_384;

interface UpstreamOptions {
  /** Of calls. Default 0.02. */
  failureShare?: number;
  /** Of its answers to questions, in ms. Default: the machine's. */
  now?(): number;
}

export async function startUpstream(
  random: Random,
  { failureShare = DEFAULT_FAILURE_SHARE, now }: UpstreamOptions = {},
): Promise<Upstream> {
  const calls = new Map<string, number>();
  const desk = createAnswerDesk(random, now);
  let failedCount = 0;
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    calls.set(name, (calls.get(name) ?? 0) + 1);
    const [stage = "", key = ""] = name.split("/");
    const fails = random.next() < failureShare;
    const body = fails ? "" : toBody(stage, key);
    setTimeout(
      () => {
        if (fails) failedCount++;
        const gone = stage === "fetch" && toPostKind(key) === "gone";
        response.writeHead(fails ? 503 : gone ? 410 : 200).end(body);
      },
      random.between(30, 150),
    );
  });
  function toBody(stage: string, key: string): string | Uint8Array {
    if (stage === "fetch") return randomBytes(MEDIA_BYTES);
    if (stage === "ask") return JSON.stringify(desk.ask(key));
    return stage === "collect" ? JSON.stringify(desk.collect(key)) : "{}";
  }
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    desk,
    calls,
    failedCount: () => failedCount,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
