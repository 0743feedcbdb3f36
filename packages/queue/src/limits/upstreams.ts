import type { Log, UpstreamPolicy, Upstreams, UpstreamStore } from "@clipmill/domain";
import { createUpstreamGate } from "./upstream-gate.ts";

export interface UpstreamsDeps {
  /** By the name that callers use: an engine id, or `cdn`. */
  policies: Readonly<Record<string, UpstreamPolicy>>;
  store: UpstreamStore;
  /** Names this process among those that share the limits. */
  workerId: string;
  log: Log;
  random?: () => number;
}

/** The gates of this process. */
export function createUpstreams({
  policies,
  store,
  workerId,
  log,
  random = Math.random,
}: UpstreamsDeps): Upstreams & { close(): Promise<void> } {
  const gates = new Map(
    Object.entries(policies).map(([name, policy]) => [
      name,
      createUpstreamGate({ policy, store, holder: workerId, log, random }),
    ]),
  );
  return {
    call(upstream, call, options) {
      const gate = gates.get(upstream);
      return gate === undefined ? call() : gate.call(call, options);
    },
    rest: (upstream, forMs) => gates.get(upstream)?.rest(forMs),
    async close() {
      await Promise.all([...gates.values()].map((gate) => gate.close()));
    },
  };
}
