import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";

export interface Loopback {
  /** `http://127.0.0.1:<port>` */
  origin: string;
  port: number;
  /** Connections so far, answered or not. */
  connections(): number;
  /** Request lines so far, such as `GET /clip.mp4`. */
  requests: string[];
  close(): Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A stand-in for somebody's server. Hanging connections are cut by `close`. */
export async function startLoopback(handler: Handler): Promise<Loopback> {
  let connections = 0;
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    handler(request, response);
  });
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    connections: () => connections,
    requests,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Answers every connection with the given bytes and closes it: what `node:http` refuses to send. */
export async function startRawServer(answer: string | Buffer): Promise<Omit<Loopback, "requests">> {
  let connections = 0;
  const server = createTcpServer((socket) => {
    connections++;
    socket.on("error", () => {});
    socket.once("data", () => socket.end(answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    connections: () => connections,
    async close() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
