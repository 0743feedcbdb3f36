import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toPostKind } from "../pipeline.ts";
import type { Random } from "./random.ts";

/** Other people's machines, slow and at times unwilling; it counts what it was asked. */
export interface Upstream {
  readonly url: string;
  /** Calls so far, by `stage/postId`. */
  readonly calls: ReadonlyMap<string, number>;
  /** Answers that said 503. */
  failedCount(): number;
  close(): Promise<void>;
}

const DEFAULT_FAILURE_SHARE = 0.02;
/** Big enough that a disk which is full is noticed, small enough that thousands fit. */
const MEDIA_BYTES = 16_384;

export async function startUpstream(
  random: Random,
  { failureShare = DEFAULT_FAILURE_SHARE }: { failureShare?: number } = {},
): Promise<Upstream> {
  const calls = new Map<string, number>();
  let failedCount = 0;
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    calls.set(name, (calls.get(name) ?? 0) + 1);
    const [stage = "", postId = ""] = name.split("/");
    const fails = random.next() < failureShare;
    const body = stage === "fetch" ? randomBytes(MEDIA_BYTES) : "{}";
    setTimeout(
      () => {
        if (fails) failedCount++;
        const gone = stage === "fetch" && toPostKind(postId) === "gone";
        response.writeHead(fails ? 503 : gone ? 410 : 200).end(body);
      },
      random.between(30, 150),
    );
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
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
