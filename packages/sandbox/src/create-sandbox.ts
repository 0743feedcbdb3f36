import type { Log } from "@clipmill/domain";
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { z } from "zod";
import { type Endpoint, parseBody, type SandboxRequest } from "./claude/answer.ts";
import { applyFault } from "./faults/apply-fault.ts";
import { type CallCounter, type Calls, newCallCounter } from "./calls.ts";
import { toCdn } from "./tiktok/cdn.ts";
import { deliver } from "./deliver.ts";
import { Fault, type ParsedFault } from "./faults/fault.ts";
import { type FaultPlan, newFaultPlan } from "./faults/fault-plan.ts";
import { toMessages } from "./claude/messages.ts";
import { type PlantedPost, toSamplePost } from "./planted-posts.ts";
import { newPresignedLinks } from "./tiktok/presigned-links.ts";
import { type SamplePost, samplePosts } from "./sample-posts.ts";
import { toShortLinks } from "./tiktok/short-links.ts";
import { toTiklive } from "./tiklive/tiklive.ts";
import { toTranscriptions } from "./asr/transcriptions.ts";

/** An hour of 16 kHz mono WAV is 115 MB. */
const MAX_BODY_BYTES = 128_000_000;

export interface SandboxOptions {
  /** Default: any free port. */
  port?: number;
  /** Default: 127.0.0.1. The sandbox checks no keys, so it does not belong on another address. */
  host?: string;
  /** Posts beside the pack's: TikLiveAPI, its CDN and short links know them. Default: none. */
  posts?: readonly PlantedPost[];
  /** Faults from the start, before those that the pack brings itself. */
  faults?: readonly Fault[];
  /** Of the generator behind `rate`: the same seed and the same requests give the same faults. Default: 1. */
  seed?: number;
  /** How long a CDN link lives. Default: 10 min. */
  linkTtlMs?: number;
  /** The clock of the CDN links. */
  now?: () => number;
  /** Gets a line for every fault that fires. */
  log?: Pick<Log, "info">;
}

export interface Sandbox {
  /** Origin, such as `http://127.0.0.1:40123`; the upstreams lie below it. */
  url: string;
  /** A link to a file of the CDN, made now. */
  toLink(name: string): string;
  calls(): Calls;
  /** Like POST /_faults. Throws ZodError for a fault that can never fire. */
  addFaults(faults: readonly Fault[]): void;
  /** Like DELETE /_faults: the pack's own faults stay. */
  clearFaults(): void;
  /** Ends held and dripping answers too. */
  close(): Promise<void>;
}

/**
 * Stand-ins for other people's machines over the sample pack: TikLiveAPI below /tiklive, its CDN below /cdn, short
 * links below /t, the Messages API below /anthropic and transcriptions below /openai. Faults are asked for in
 * `options.faults`, with POST /_faults (one or a list) and DELETE /_faults; GET /_calls counts.
 */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { port = 0, host = "127.0.0.1", linkTtlMs = 600_000, now = Date.now, seed = 1 } = options;
  const { posts: planted = [] } = options;
  const pack = samplePosts();
  const posts = [...pack, ...planted.map((post) => toSamplePost(post, pack))];
  const calls = newCallCounter();
  const plan = newFaultPlan(toPostFaults(posts), seed);
  const addFaults = (faults: unknown): void => plan.add(z.array(Fault).parse(faults));
  addFaults(options.faults ?? []);

  const links = newPresignedLinks({ ttlMs: linkTtlMs, now });
  const elsewhere = new Map(planted.flatMap(({ files }) => files.map((f) => [f.name, f.link])));
  const toLink = (name: string): string =>
    elsewhere.get(name) ?? links.toLink(app.listeningOrigin, name);
  const endpoints = [
    ...toTiklive(posts, toLink),
    toCdn(pack, planted, links),
    toShortLinks(posts),
    toMessages(pack),
    toTranscriptions(pack),
  ];
  const app = newApp();
  addControls(app, calls, plan);
  for (const endpoint of endpoints) addEndpoint(app, endpoint, { calls, plan, log: options.log });
  await app.listen({ port, host });

  return {
    url: app.listeningOrigin,
    toLink,
    calls: () => calls.snapshot(),
    addFaults,
    clearFaults: () => plan.clear(),
    close: () => app.close(),
  };
}

function toPostFaults(posts: readonly SamplePost[]): ParsedFault[] {
  return posts.flatMap(({ id, faults }) =>
    faults.map((fault) => Fault.parse({ ...fault, match: { ...fault.match, postId: id } })),
  );
}

/** Bodies stay bytes: each stand-in judges for itself what it was sent. */
function newApp(): FastifyInstance {
  const app = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  return app;
}

function addControls(app: FastifyInstance, calls: CallCounter, plan: FaultPlan): void {
  app.get("/_calls", () => calls.snapshot());
  app.post("/_faults", async (request, reply) => {
    const asked = parseBody(toBody(request));
    const parsed = z.array(Fault).safeParse(Array.isArray(asked) ? asked : [asked]);
    if (!parsed.success) return reply.code(400).send({ message: z.prettifyError(parsed.error) });
    plan.add(parsed.data);
    return reply.code(204).send();
  });
  app.delete("/_faults", async (_request, reply) => {
    plan.clear();
    return reply.code(204).send();
  });
}

interface Surroundings {
  calls: CallCounter;
  plan: FaultPlan;
  log: SandboxOptions["log"];
}

function addEndpoint(
  app: FastifyInstance,
  endpoint: Endpoint,
  { calls, plan, log }: Surroundings,
): void {
  const handle = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { answer, postId } = await endpoint.answer(toSandboxRequest(request));
    const fault = answer.status < 400 ? plan.take(endpoint.name, postId) : null;
    calls.count(endpoint.name, postId, fault?.kind ?? null);
    if (fault !== null)
      log?.info({ route: endpoint.name, kind: fault.kind, postId }, "sandbox fault");
    await deliver(reply, applyFault(endpoint.name, answer, fault));
  };
  app.all(endpoint.path, handle);
}

function toSandboxRequest(request: FastifyRequest): SandboxRequest {
  return {
    method: request.method,
    headers: request.headers,
    params: request.params as SandboxRequest["params"],
    query: request.query as SandboxRequest["query"],
    body: toBody(request),
  };
}

function toBody({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}
