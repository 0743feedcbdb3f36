import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { FastifyAdapter } from "@bull-board/fastify";
import type { FastifyInstance } from "fastify";

/** BullMQ's queue object. Only packages/queue imports bullmq, so the type is named through the board. */
export type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];

/**
 * The board's page is bundled by others: its loading screen has inline styles, and it asks for fonts at Google's, which
 * this keeps it from. `frame-ancestors`: our own page shows it in a frame.
 */
const BOARD_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join("; ");

/** Bull Board under the instance's prefix. */
export async function registerBoard(
  app: FastifyInstance,
  { queues, readOnly }: { queues: readonly BoardQueue[]; readOnly: boolean },
): Promise<void> {
  const serverAdapter = new FastifyAdapter().setBasePath(app.prefix);
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: readOnly })),
    serverAdapter,
    options: {
      uiConfig: {
        boardTitle: "clipmill",
        hideDocsLink: true,
        // Its "Redis details" make no sense while BullMQ runs on Postgres.
        hideRedisDetails: true,
      },
    },
  });

  app.addHook("onRequest", async (request, reply) => {
    reply.header("content-security-policy", BOARD_CSP);
    // The board checks its queues one by one; this covers whatever route a later release adds.
    if (readOnly && request.method !== "GET" && request.method !== "HEAD") {
      return reply.code(405).header("allow", "GET, HEAD").send("the dashboard is read-only\n");
    }
    return undefined;
  });
  await app.register(serverAdapter.registerPlugin());
}
