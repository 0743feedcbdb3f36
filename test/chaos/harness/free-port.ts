import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** For a server that must come back on its port after a kill. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
