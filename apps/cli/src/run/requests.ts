import { type Config, toWaitingLimits } from "@clipmill/config";
import {
  createDatabase,
  createListener,
  createRequestReader,
  createWorkerRegistry,
  createWorkStore,
} from "@clipmill/db";
import type { Accepted, PostId, RequestReader } from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import { findKeyed, toRecipes } from "@clipmill/providers";
import { EnvironmentError, UsageError } from "../failure.ts";

/** What a person typed, understood. */
export interface Intake {
  link: string;
  /** Null: only the resolve stage can tell. */
  postId: PostId | null;
  origin: "tiktok" | "file";
  /** BCP-47 hint; null lets the engine decide. */
  language: string | null;
  /** The post is listened to, also where its source offers captions. Default false. */
  fresh?: boolean;
}

/** Submits and reads requests as the API does, straight from Postgres. */
export interface Requests {
  submit(intakes: readonly Intake[]): Promise<Accepted[]>;
  cancel(id: string): Promise<void>;
  /**
   * Throws EnvironmentError if no live worker has an engine whose key is set here: the workers of another command have
   * the keys that they were started with.
   */
  requireEngines(origin: Intake["origin"]): Promise<void>;
  reader: RequestReader;
  close(): Promise<void>;
}

export interface RequestsOptions {
  databaseUrl: string;
  /** Null: upstreams are real. */
  sandboxUrl: string | null;
  /** Told of broken connections. */
  onError(error: Error): void;
}

/** Fits one command: a few statements at a time. */
const POOL_SIZE = 4;
/** Nothing is dispatched from here; the worker's own values count. */
const QUEUED_FOR_MS = 60_000;

export function createRequests(config: Config, options: RequestsOptions): Requests {
  const { databaseUrl, sandboxUrl, onError } = options;
  const database = createDatabase({
    url: databaseUrl,
    poolSize: POOL_SIZE,
    name: "clipmill-cli",
    onError,
  });
  const listener = createListener({ url: databaseUrl, onError });
  const work = createWorkStore(database, {
    pipelines,
    leaseMs: config.LEASE_MS,
    queuedForMs: QUEUED_FOR_MS,
  });
  /** The sandbox knows its own posts only; nobody's own file gets an invented answer. */
  const toEngines = (origin: Intake["origin"]) => {
    const url = origin === "file" || sandboxUrl === null ? undefined : sandboxUrl;
    try {
      return toRecipes({ ...config, CLIPMILL_SANDBOX_URL: url }, { origin });
    } catch (error) {
      // A list of engines that names an unknown one is a wrong setting.
      throw error instanceof Error ? new UsageError(error.message) : error;
    }
  };
  return {
    submit: (intakes) =>
      work.accept(
        intakes.map(({ link, postId, origin, language, fresh = false }) => ({
          tenant: "local",
          link,
          postId,
          outputs: ["transcript", "summary"],
          recipes: toEngines(origin),
          lane: "interactive",
          deadline: null,
          idempotencyKey: null,
          language,
          fresh,
        })),
      ),
    async cancel(id) {
      await work.cancel([id]);
    },
    async requireEngines(origin) {
      const live = await createWorkerRegistry(database).findEngines();
      if (live !== null) requireKeyed(Object.values(toEngines(origin)).flat(), live, config);
    },
    reader: createRequestReader(database, listener, { waitingLimits: toWaitingLimits(config) }),
    async close() {
      await listener.close();
      await database.close();
    },
  };
}

function requireKeyed(engines: readonly string[], live: ReadonlySet<string>, config: Config): void {
  const keyed = findKeyed(config);
  const missing = engines.find((engine) => keyed.has(engine) && !live.has(engine));
  if (missing === undefined) return;
  throw new EnvironmentError(
    `${keyed.get(missing)} is set here, but the clipmill that is running has no ${missing}: stop it and start it with ${keyed.get(missing)}, or unset the variable for this command`,
  );
}
