import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  CHAOS_PREFIX,
  type ChaosArguments,
  type FromProcess,
  type ToProcess,
} from "../processes/arguments.ts";
import { createTcpProxy, type TcpProxy } from "./tcp-proxy.ts";
import { type ChaosServer, type QueueServer, toProxied } from "./servers.ts";

export type Role = "api" | "dispatcher" | "reconciler" | "worker";

/** One process that is started again whenever it dies, behind proxies of its own. */
export interface Member {
  readonly name: string;
  readonly role: Role;
  readonly proxies: readonly TcpProxy[];
  pid(): number | null;
  /** It has said that it is, and has not ended since. */
  isReady(): boolean;
  /** Of an API that is up. */
  url(): string | null;
  /** Stands still for so long, on its event loop; false where it ended before it said that it had. */
  block(ms: number): Promise<boolean>;
  signal(signal: NodeJS.Signals): boolean;
}

export interface FleetCounts {
  deaths: number;
  fenced: number;
  eager: number;
  reconciled: number;
}

export interface Fleet {
  readonly members: readonly Member[];
  /** Those that one fault has to itself: a kill meanwhile would undo what it does to them. */
  readonly spared: Set<Member>;
  readonly counts: FleetCounts;
  /** Requests that reconcilers said were open without work; two may find the same. */
  readonly replanned: ReadonlySet<string>;
  /** How long its processes took from their start to their first word, in ms: the median of all starts after the first. */
  startMs(): number;
  close(): Promise<void>;
}

export interface FleetOptions {
  postgres: ChaosServer;
  queue: QueueServer;
  common: Pick<ChaosArguments, "upstreamUrl" | "storageDirectory" | "control">;
  logDirectory: string;
  /** Where Node keeps compiled code: a process starts a hundred times here. */
  cacheDirectory: string;
}

export const WORKER_COUNT = 3;
const SIZES: Readonly<Record<Role, number>> = {
  api: 2,
  dispatcher: 2,
  reconciler: 2,
  worker: WORKER_COUNT,
};
const ROLES: Readonly<Record<Role, Pick<ChaosArguments, "roles" | "queues">>> = {
  api: { roles: [], queues: [] },
  dispatcher: { roles: ["dispatch"], queues: [] },
  reconciler: { roles: ["reconcile"], queues: [] },
  worker: { roles: ["work"], queues: ["io", "gpu", "cpu", "llm"] },
};
const RESTART_AFTER_MS = 100;

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const counts: FleetCounts = { deaths: 0, fenced: 0, eager: 0, reconciled: 0 };
  const replanned = new Set<string>();
  const startsMs: number[] = [];
  const sizes = options.common.control === "no-reconciler" ? { ...SIZES, reconciler: 0 } : SIZES;
  const names = Object.entries(sizes).flatMap(([role, size]) =>
    Array.from({ length: size }, (_, i) => ({ role: role as Role, name: `${role}-${i + 1}` })),
  );
  const started = await Promise.all(
    names.map(({ role, name }) =>
      startMember(role, name, options, { counts, replanned, startsMs }),
    ),
  );
  return {
    members: started.map(({ member }) => member),
    spared: new Set(),
    counts,
    replanned,
    startMs: () => startsMs.toSorted((a, b) => a - b)[Math.floor(startsMs.length / 2)] ?? 0,
    async close() {
      await Promise.all(started.map(({ close }) => close()));
    },
  };
}

/** What the members of a fleet tell it. */
interface Told {
  counts: FleetCounts;
  replanned: Set<string>;
  startsMs: number[];
}

async function startMember(
  role: Role,
  name: string,
  { postgres, queue, common, logDirectory, cacheDirectory }: FleetOptions,
  { counts, replanned, startsMs }: Told,
): Promise<{ member: Member; close(): Promise<void> }> {
  const proxies = await Promise.all([
    createTcpProxy(postgres.port),
    createTcpProxy(queue.server.port),
  ]);
  const [toPostgres, toQueue] = proxies;
  const file = role === "api" ? "api.ts" : "worker.ts";
  const path = fileURLToPath(new URL(`../processes/${file}`, import.meta.url));
  const args: ChaosArguments = {
    ...common,
    ...ROLES[role],
    prefix: CHAOS_PREFIX,
    databaseUrl: toProxied(postgres.url, toPostgres?.port ?? 0),
    queue: { backend: queue.backend, url: toProxied(queue.server.url, toQueue?.port ?? 0) },
  };
  const log = createWriteStream(join(logDirectory, `${name}.log`));
  let child: ChildProcess | null = null;
  let url: string | null = null;
  let isReady = false;
  let isFirst = true;
  let closed = false;
  let restart: NodeJS.Timeout | null = null;
  const ready = Promise.withResolvers<void>();

  function start(): void {
    const startedAt = performance.now();
    const env = { ...process.env, NODE_ENV: "test", NODE_COMPILE_CACHE: cacheDirectory };
    const next = fork(path, [JSON.stringify(args)], {
      env: { ...env, LOG_LEVEL: "warn" },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    child = next;
    next.stdout?.pipe(log, { end: false });
    next.stderr?.pipe(log, { end: false });
    next.on("message", (message: FromProcess) => {
      if (message.type === "ready") {
        url = message.url ?? null;
        isReady = true;
        // The first nine start at one moment, and wait for each other.
        if (!isFirst) startsMs.push(performance.now() - startedAt);
        isFirst = false;
        ready.resolve();
      } else if (message.type === "replanned") for (const id of message.ids) replanned.add(id);
      else if (message.type !== "blocked") counts[message.type] += message.count;
    });
    // A message to a process that has just died.
    next.on("error", () => {});
    next.once("exit", (code, signal) => {
      child = null;
      url = null;
      isReady = false;
      if (closed) return;
      // Nothing has been killed yet: it cannot start at all.
      ready.reject(new Error(`${name} ended before it was ready; see ${log.path.toString()}`));
      counts.deaths++;
      log.write(`-- ended: ${signal ?? code}\n`);
      restart = setTimeout(start, RESTART_AFTER_MS);
    });
  }

  start();
  await ready.promise;
  const member: Member = {
    name,
    role,
    proxies,
    pid: () => child?.pid ?? null,
    isReady: () => isReady,
    url: () => url,
    block: async (ms) => child !== null && (await block(child, ms)),
    signal: (signal) => child?.kill(signal) ?? false,
  };
  return {
    member,
    async close() {
      closed = true;
      if (restart !== null) clearTimeout(restart);
      if (child !== null) {
        const exited = once(child, "exit");
        child.kill("SIGKILL");
        await exited;
      }
      log.end();
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

function block(child: ChildProcess, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    child.on("message", ({ type }: FromProcess) => {
      if (type === "blocked") resolve(true);
    });
    child.once("exit", () => resolve(false));
    child.send({ type: "block", ms } satisfies ToProcess, () => {});
  });
}
