import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between one process and one server, to fail as networks do. */
export interface TcpProxy {
  readonly port: number;
  connectionCount(): number;
  /** Resets what is open; returns how many connections that were. */
  cut(): number;
  /** Lets nothing through in either direction and tells nobody, new connections included. */
  hole(): number;
  /**
   * What is open brings nothing more, for good, and neither side hears that the other has closed; or only the server's
   * answers are lost. What comes next passes. Returns how many connections that were.
   */
  silence(what?: "all" | "answers"): number;
  /** Connections from now on go to another server. */
  redirect(targetPort: number): void;
  /** Ends a hole as middleboxes do: what was open is reset, what comes next passes. */
  heal(): void;
  close(): Promise<void>;
}

interface Pair {
  near: Socket;
  far: Socket;
}

export async function createTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const silent = new Set<Pair>();
  let port = targetPort;
  let holed = false;

  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: "127.0.0.1", noDelay: true });
    const pair = { near, far };
    pairs.add(pair);
    const end = () => {
      if (silent.has(pair)) return;
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("error", end).on("close", end);
    near.pipe(far);
    far.pipe(near);
    if (holed) block(pair);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const reset = (): number => {
    const count = pairs.size;
    for (const { near, far } of pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    return count;
  };

  return {
    port: (server.address() as AddressInfo).port,
    connectionCount: () => pairs.size,
    cut: reset,
    hole() {
      holed = true;
      for (const pair of pairs) block(pair);
      return pairs.size;
    },
    silence(what = "all") {
      const muted = [...pairs];
      for (const pair of muted) {
        if (what === "all") block(pair);
        else hush(pair);
        silent.add(pair);
        pairs.delete(pair);
      }
      return muted.length;
    },
    redirect: (next) => void (port = next),
    heal() {
      holed = false;
      reset();
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      reset();
      for (const { near, far } of silent) for (const socket of [near, far]) socket.destroy();
      await closed;
    },
  };
}

function block(pair: Pair): void {
  pair.near.unpipe(pair.far);
  pair.near.pause();
  hush(pair);
}

function hush({ near, far }: Pair): void {
  far.unpipe(near);
  far.pause();
}
