import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDatabase, type Database } from "@clipmill/db";
import { expect, inject } from "vitest";
import { createRandom } from "../../chaos/harness/random.ts";
import { startUpstream, type Upstream } from "../../chaos/harness/upstream.ts";
import type { ChaosArguments, FromProcess } from "../../chaos/processes/arguments.ts";
import { createTestDatabase } from "../servers/database.ts";

/** Shared by all starts: these tests start processes a hundred times. */
const CODE_CACHE = join(tmpdir(), "clipmill-chaos-cache");

export interface Start extends Partial<Pick<ChaosArguments, "roles" | "queues" | "control">> {
  /** The failpoint at which it kills itself. Default: none. */
  failAt?: string;
}

/** Starts single processes of the chaos fleet, with the test's own database and upstream. */
export interface ChaosProcesses {
  database: Database;
  upstream: Upstream;
  storageDirectory: string;
  start(file: "api.ts" | "worker.ts", options: Start): ChildProcess;
  /** Waits until the process has killed itself, and ends the leases and hints of its jobs. */
  outlive(child: ChildProcess): Promise<void>;
  close(): Promise<void>;
}

export async function createChaosProcesses(
  backend: ChaosArguments["queue"]["backend"],
  { now }: { now?(): number } = {},
): Promise<ChaosProcesses> {
  const testDatabase = await createTestDatabase();
  const { url } = testDatabase;
  const database = createDatabase({ url, poolSize: 2, name: "test", onError() {} });
  const upstream = await startUpstream(createRandom(1), { failureShare: 0, ...(now && { now }) });
  const storageDirectory = await mkdtemp(join(tmpdir(), "clipmill-failpoints-"));
  const children = new Set<ChildProcess>();
  const queueUrl = backend === "redis" ? (inject("redisUrl") ?? "") : url;
  const common = {
    databaseUrl: url,
    queue: { backend, url: queueUrl },
    prefix: `failpoints-${new URL(url).pathname.slice(1)}`,
    upstreamUrl: upstream.url,
    storageDirectory,
  };

  return {
    database,
    upstream,
    storageDirectory,
    start(file, { failAt = "", ...options }) {
      const { roles = [], queues = ["io", "gpu", "cpu", "llm"], control = null } = options;
      const args: ChaosArguments = { ...common, roles, queues, control };
      const path = fileURLToPath(new URL(`../../chaos/processes/${file}`, import.meta.url));
      const ofTest = { NODE_ENV: "test", NODE_COMPILE_CACHE: CODE_CACHE, LOG_LEVEL: "silent" };
      const child = fork(path, [JSON.stringify(args)], {
        env: { ...process.env, ...ofTest, FAIL_AT: failAt },
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      children.add(child);
      child.once("exit", () => children.delete(child));
      return child;
    },
    async outlive(child) {
      const [, signal] = (await once(child, "exit")) as [number | null, string | null];
      expect(signal, "the failpoint was reached").toBe("SIGKILL");
      await database.pool.query(
        "update stage_job set held_until = now() where state in ('queued', 'running')",
      );
    },
    async close() {
      for (const child of children) {
        const exited = once(child, "exit");
        child.kill("SIGKILL");
        await exited;
      }
      await upstream.close();
      await database.close();
      await testDatabase.drop();
      await rm(storageDirectory, { recursive: true, force: true });
    },
  };
}

/** Resolves when the process is ready, with the address of an API, or "" for a worker. */
export async function readyUrl(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, "message")) as [FromProcess];
  return message.type === "ready" ? (message.url ?? "") : "";
}
