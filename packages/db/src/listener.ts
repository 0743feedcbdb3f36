import pg from "pg";
import { CONNECT_WITHIN_MS, KEEP_ALIVE_AFTER_MS } from "./database.ts";
import type { Channel } from "./notify.ts";

/**
 * One connection that listens for all of this process. Notifications only shorten waits: every caller also polls,
 * because a connection that breaks loses what was sent meanwhile.
 */
export interface Listener {
  /** Resolves true at the next notification of `payload` (`null`: any), false after `timeoutMs` or abort. */
  next(channel: Channel, payload: string | null, timeoutMs: number, signal?: AbortSignal): Wait;
  close(): Promise<void>;
}

export interface Wait {
  promise: Promise<boolean>;
  cancel(): void;
}

const CHANNELS: readonly Channel[] = ["clipmill_ready", "clipmill_request"];
/** By chance in between: all processes lose the server at the same moment. */
const RECONNECT_MS = { least: 500, most: 1_500 };

export function createListener(options: { url: string; onError(error: Error): void }): Listener {
  const waits = new Map<string, Set<(notified: boolean) => void>>();
  let client: pg.Client | null = null;
  let reconnect: NodeJS.Timeout | null = null;
  let closed = false;

  const wake = (key: string) => {
    for (const settle of waits.get(key) ?? []) settle(true);
  };

  async function connect(): Promise<void> {
    const next = new pg.Client({
      connectionString: options.url,
      application_name: "clipmill-listen",
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
    });
    client = next;
    next.on("error", options.onError);
    next.on("end", () => {
      if (client === next) retryLater();
    });
    next.on("notification", ({ channel, payload }) => {
      wake(`${channel} ${payload ?? ""}`);
      wake(`${channel} *`);
    });
    try {
      await next.connect();
      await next.query(CHANNELS.map((channel) => `listen ${channel}`).join("; "));
    } catch (error) {
      options.onError(error instanceof Error ? error : new Error("listen failed"));
      if (client === next) retryLater();
      await next.end().catch(options.onError);
    }
  }

  function retryLater(): void {
    client = null;
    if (closed || reconnect !== null) return;
    const { least, most } = RECONNECT_MS;
    reconnect = setTimeout(
      () => {
        reconnect = null;
        if (!closed) void connect();
      },
      least + Math.random() * (most - least),
    );
  }

  void connect();

  return {
    next(channel, payload, timeoutMs, signal) {
      const key = `${channel} ${payload ?? "*"}`;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const set = waits.get(key) ?? new Set();
      waits.set(key, set);
      const settle = (notified: boolean) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
        set.delete(settle);
        if (set.size === 0 && waits.get(key) === set) waits.delete(key);
        resolve(notified);
      };
      const cancel = () => settle(false);
      const timer = setTimeout(cancel, timeoutMs);
      signal?.addEventListener("abort", cancel, { once: true });
      set.add(settle);
      if (signal?.aborted === true) cancel();
      return { promise, cancel };
    },

    async close() {
      closed = true;
      if (reconnect !== null) clearTimeout(reconnect);
      for (const set of waits.values()) for (const settle of set) settle(false);
      const open = client;
      client = null;
      await open?.end();
    },
  };
}
