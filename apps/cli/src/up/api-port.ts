import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { UsageError } from "../failure.ts";

const DEFAULT_PORT = 4_600;
const TRIED_PORTS = 20;

/**
 * The API's port: the configured one or nothing; else 4600 or the next free one. `origin` names what configured
 * it. Throws UsageError.
 */
export async function chooseApiPort(
  host: string,
  configured: { port: number; origin: string } | null,
): Promise<number> {
  if (configured !== null) {
    if (await isFree(host, configured.port)) return configured.port;
    throw new UsageError(
      `${configured.origin}: port ${configured.port} is taken; stop what uses it or choose another`,
    );
  }
  for (let port = DEFAULT_PORT; port < DEFAULT_PORT + TRIED_PORTS; port++) {
    if (await isFree(host, port)) return port;
  }
  throw new UsageError(
    `ports ${DEFAULT_PORT} to ${DEFAULT_PORT + TRIED_PORTS - 1} on ${host} are all taken: set PORT`,
  );
}

export function isDefaultPort(port: number): boolean {
  return port === DEFAULT_PORT;
}

/** Any free port, for what must come back on the same one when it is started again. */
export async function findFreePort(host: string): Promise<number> {
  const server = createServer().listen({ host, port: 0 });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(new UsageError(toListenProblem(host, port, error.code ?? "")));
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function toListenProblem(host: string, port: number, code: string): string {
  if (code === "EACCES") {
    return `PORT: this user may not listen on port ${port}: choose one from 1024 on`;
  }
  return `HOST: this machine has no address ${host} (${code}): 127.0.0.1 serves this machine, 0.0.0.0 all that reach it`;
}
