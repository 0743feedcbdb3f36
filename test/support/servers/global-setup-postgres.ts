import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@clipmill/postgres";
import { startContainer } from "./global-setup-docker.ts";

export interface TestServer {
  url: string;
  close(): Promise<void>;
}

/** DATABASE_URL, else a container, else the embedded server without fsync. */
export async function startTestPostgres(): Promise<TestServer> {
  const configured = process.env["DATABASE_URL"];
  if (configured !== undefined && configured !== "") {
    return { url: configured, close: async () => {} };
  }
  const container = await startContainer({
    image: "postgres:18-alpine",
    port: 5432,
    environment: { POSTGRES_PASSWORD: "test" },
    // The image starts the server once to set it up and once for good.
    readyLog: { pattern: /ready to accept connections/, times: 2 },
  });
  if (container !== null) {
    const { host, port } = container;
    return {
      url: `postgres://postgres:test@${host}:${port}/postgres`,
      close: () => container.close(),
    };
  }
  const directory = await mkdtemp(join(tmpdir(), "clipmill-test-postgres-"));
  const log = { info: () => {} };
  const server = await startEmbeddedPostgres({ directory, durable: false, log });
  return {
    url: server.url,
    close: async () => {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
