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
  let holed = false;

  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    const pair = { near, far };
    pairs.add(pair);
    const end = () => {
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
    heal() {
      holed = false;
      reset();
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      reset();
      await closed;
    },
  };
}

function block({ near, far }: Pair): void {
  near.unpipe(far);
  far.unpipe(near);
  near.pause();
  far.pause();
}
