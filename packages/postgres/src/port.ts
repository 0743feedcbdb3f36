import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";

const DEFAULT_PORT = 54_329;

/**
 * The port to listen on: the configured one, else the last one, else the default, else any free one. Throws
 * EmbeddedPostgresError when the configured one is taken.
 */
export async function choosePort(
  directory: string,
  configured: number | undefined,
): Promise<number> {
  if (configured !== undefined) {
    if (await isFree(configured)) return configured;
    throw new EmbeddedPostgresError(`the port ${configured} for Postgres is taken`);
  }
  for (const port of [await readLastPort(directory), DEFAULT_PORT]) {
    if (port !== null && (await isFree(port))) return port;
  }
  return findFreePort();
}

/** Keeps connection strings valid from one start to the next. */
export async function savePort(directory: string, port: number): Promise<void> {
  await writeFile(join(directory, "port"), `${port}\n`);
}

async function readLastPort(directory: string): Promise<number | null> {
  const text = await readFile(join(directory, "port"), "utf8").catch(() => "");
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
}

async function isFree(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== null;
}

async function findFreePort(): Promise<number> {
  const port = await listenOnce(0);
  if (port === null) throw new EmbeddedPostgresError("there is no free port on 127.0.0.1");
  return port;
}

function listenOnce(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const bound = address === null || typeof address === "string" ? null : address.port;
      server.close(() => resolve(bound));
    });
  });
}
