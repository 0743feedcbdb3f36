import type { RecentJob } from "@clipmill/dashboard";
import type { BackfillStore, DeadLetter, PostReader, WaitingReader } from "@clipmill/db";
import type { Recipes, RequestReader, WorkStore } from "@clipmill/domain";
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginAsync,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { MetricsReader } from "./metrics/metrics-reader.ts";

/** Everything that the API reaches. It owns none of it and closes none of it. */
export interface ApiDeps {
  work: Pick<WorkStore, "accept" | "cancel">;
  requests: RequestReader;
  /** What work waits for, for `/readyz?verbose`. */
  waiting: WaitingReader;
  posts: PostReader;
  /** Most bytes of answers about posts that are kept; 0 keeps none. */
  answerMemoryBytes: number;
  backfills: BackfillStore;
  dead: DeadLetter;
  /** The engines that new requests are accepted with. */
  recipes(): Recipes;
  health(): Promise<Health>;
  /** Latest jobs for the home page. Absent: the page has no list. */
  recent?(): Promise<readonly RecentJob[]>;
  /** Absent: there is no `/metrics`. */
  metrics?: MetricsReader;
  /** Names under which people reach us, beside loopback names and addresses: only there may a page write. Default: none. */
  publicHosts?: readonly string[];
  /** Addresses and ranges of proxies whose `x-forwarded-*` headers are believed. Default: none. */
  trustedProxies?: readonly string[];
  log: FastifyBaseLogger;
  /** Mounted at `/queues`. Absent: there is no such page. */
  dashboard?: FastifyPluginAsync;
  /** Of clipmill itself; the API's own version is in its paths. */
  version: string;
}

export interface Health {
  database: boolean;
  /** Down means slower, not unable: Postgres is the record and accepts without the queue. */
  queue: boolean;
  /** What is wrong and what mends it, a sentence each; without secrets and addresses. */
  problems?: readonly string[];
}

/** The instance that routes are registered on: bodies and answers are typed by their zod schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;
