import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A loopback server that allows so many calls in any window, and tells 429 with Retry-After to the rest. */
export interface LimitedUpstream {
  url: string;
  /** Calls so far, and when the first and the last were accepted (performance.now()). */
  readonly counts: { accepted: number; refused: number; firstAtMs: number; lastAtMs: number };
  close(): Promise<void>;
}

/**
 * Windows slide: the strictest way to count, since no moment is good for a burst. Refused calls do not count.
 * Answers take between one and two times `latencyMs`.
 */
export async function startLimitedUpstream(
  limits: readonly { calls: number; windowMs: number }[],
  latencyMs: number,
): Promise<LimitedUpstream> {
  const acceptedAtMs: number[] = [];
  const counts = { accepted: 0, refused: 0, firstAtMs: Number.NaN, lastAtMs: Number.NaN };

  /** How long until every limit has room; 0 or less is now. */
  const toWaitMs = (nowMs: number) =>
    Math.max(
      ...limits.map(
        ({ calls, windowMs }) => (acceptedAtMs.at(-calls) ?? -Infinity) + windowMs - nowMs,
      ),
    );

  const server = createServer((_request, response) => {
    const nowMs = performance.now();
    const waitMs = toWaitMs(nowMs);
    if (waitMs > 0) {
      counts.refused++;
      response.writeHead(429, { "retry-after": (waitMs / 1_000).toFixed(3) }).end();
      return;
    }
    acceptedAtMs.push(nowMs);
    counts.accepted++;
    if (counts.accepted === 1) counts.firstAtMs = nowMs;
    counts.lastAtMs = nowMs;
    setTimeout(() => response.end("{}"), latencyMs * (1 + Math.random()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    counts,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
