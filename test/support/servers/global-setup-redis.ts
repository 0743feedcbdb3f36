import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startContainer } from "./global-setup-docker.ts";
import type { TestServer } from "./global-setup-postgres.ts";
import { findFreePort } from "./free-port.ts";

const READY_WITHIN_MS = 10_000;

/** REDIS_URL, else a container, else the `redis-server` or `valkey-server` on PATH, else null. */
export async function startTestRedis(): Promise<TestServer | null> {
  const configured = process.env["REDIS_URL"];
  if (configured !== undefined && configured !== "") {
    return { url: configured, close: async () => {} };
  }
  const container = await startContainer({
    image: "valkey/valkey:8-alpine",
    port: 6379,
    readyLog: { pattern: /Ready to accept connections/, times: 1 },
  });
  if (container !== null) {
    const { host, port } = container;
    return { url: `redis://${host}:${port}`, close: () => container.close() };
  }
  return (await startRedisProgram("redis-server")) ?? (await startRedisProgram("valkey-server"));
}

/** Null where the program is not installed. `extra` are arguments such as `--requirepass secret`. */
export async function startRedisProgram(
  program: string,
  extra: readonly string[] = [],
): Promise<(TestServer & { directory: string }) | null> {
  const directory = await mkdtemp(join(tmpdir(), "clipmill-test-redis-"));
  const port = await findFreePort();
  const options = { port: String(port), bind: "127.0.0.1", dir: directory, save: "" };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const server = spawn(program, [...args, ...extra], { stdio: "ignore" });
  const exited = new Promise<void>((done) => {
    server.once("error", () => done());
    server.once("exit", () => done());
  });
  const close = async () => {
    // Asked politely, one that cannot save would stay; nothing in it is worth saving.
    server.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  if (await isReady(port, exited)) return { url: `redis://127.0.0.1:${port}`, directory, close };
  await close();
  return null;
}

async function isReady(port: number, exited: Promise<void>): Promise<boolean> {
  let over = false;
  void exited.then(() => (over = true));
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    await sleep(20);
    if (over) return false;
    if (await accepts(port)) return true;
  }
  return false;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
