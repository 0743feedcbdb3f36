import type { Log, UpstreamPolicy, Upstreams, UpstreamStore } from "@clipmill/domain";
import { createUpstreamLimiter } from "./upstream-limiter.ts";

export interface UpstreamsDeps {
  /** By the name that callers use: an engine id, or `cdn`. */
  policies: Readonly<Record<string, UpstreamPolicy>>;
  store: UpstreamStore;
  /** Names this process among those that share the limits. */
  workerId: string;
  log: Log;
  random?: () => number;
}

/** The limiters of this process, one for each upstream that has a policy. */
export function createUpstreams({
  policies,
  store,
  workerId,
  log,
  random = Math.random,
}: UpstreamsDeps): Upstreams & { close(): Promise<void> } {
  const limiters = new Map(
    Object.entries(policies).map(([name, policy]) => [
      name,
      createUpstreamLimiter({ policy, store, holder: workerId, log, random }),
    ]),
  );
  return {
    call(upstream, call, options) {
      const limiter = limiters.get(upstream);
      return limiter === undefined ? call() : limiter.call(call, options);
    },
    holdOff: (upstream, forMs) => limiters.get(upstream)?.holdOff(forMs),
    async close() {
      await Promise.all([...limiters.values()].map((limiter) => limiter.close()));
    },
  };
}
