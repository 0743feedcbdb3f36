import { Agent, buildConnector, type Dispatcher, ProxyAgent } from "undici";
import { createGuardedConnector, type GuardOptions } from "./guarded-connector.ts";

export interface AgentsOptions extends GuardOptions {
  /** The sandbox's exact origin, the only one that is connected to without the guard. */
  allowLoopback?: string;
  headersTimeoutMs: number;
}

/** Connections of one SafeHttp: direct ones behind the guard, and tunnels of the proxies that were asked for. */
export interface Agents {
  /** `proxyUrl` null: directly. */
  get(proxyUrl: string | null): Dispatcher;
  close(): Promise<void>;
}

export function createAgents(options: AgentsOptions): Agents {
  const { headersTimeoutMs: headersTimeout, connectTimeoutMs: connectTimeout } = options;
  const direct = new Agent({
    connect: toConnector(options),
    headersTimeout,
    // A CDN host serves one file at a time per connection; more connections than jobs are never wanted.
    pipelining: 1,
  });
  const proxies = new Map<string, ProxyAgent>();
  return {
    get(proxyUrl) {
      if (proxyUrl === null) return direct;
      const known = proxies.get(proxyUrl);
      if (known !== undefined) return known;
      // Always a tunnel: the proxy sees host and port, never the signed path of a link.
      const proxyTunnel = true;
      const agent = new ProxyAgent({
        uri: proxyUrl,
        proxyTunnel,
        connectTimeout,
        headersTimeout,
        allowH2: false,
      });
      proxies.set(proxyUrl, agent);
      return agent;
    },
    async close() {
      await Promise.all([direct, ...proxies.values()].map((agent) => agent.destroy()));
    },
  };
}

function toConnector(options: AgentsOptions): buildConnector.connector {
  const guarded = createGuardedConnector(options);
  const plain = buildConnector({ timeout: options.connectTimeoutMs, allowH2: false });
  return (target, callback) => {
    // `port` is "" where the protocol's own is meant, as in an origin.
    const port = target.port === "" ? "" : `:${target.port}`;
    const isSandbox = `${target.protocol}//${target.hostname}${port}` === options.allowLoopback;
    (isSandbox ? plain : guarded)(target, callback);
  };
}
