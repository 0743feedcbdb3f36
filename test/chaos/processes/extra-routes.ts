import type { Accepting } from "@clipmill/api";
import { POST_KIND, type Submission, type WorkStore } from "@clipmill/domain";
import type { FastifyPluginAsync } from "fastify";
import { z } from "zod";
import { Delivery } from "../pipelines/round.ts";

/** Where the harness finds these routes: the API mounts a dashboard there, if it has one. */
export const EXTRA_PREFIX = "/queues";

export const SubmitBody = z.object({
  kind: z.string(),
  input: z.object({ id: z.string() }).loose(),
  lane: z.enum(["interactive", "standard", "backfill"]),
});

export const ResolveBody = z.object({ deliveries: z.array(Delivery) });

/** What the product has no route for yet: requests of other kinds than posts, and answers that come by themselves. */
export function createExtraRoutes(
  work: Accepting & Pick<WorkStore, "resolve">,
): FastifyPluginAsync {
  return async (api) => {
    api.post("/requests", async (request, reply) => {
      const body = SubmitBody.parse(request.body);
      const key = z.string().parse(request.headers["idempotency-key"]);
      const gone = new AbortController();
      reply.raw.once("close", () => gone.abort());
      const { requestId, state } = await work.accept(toSubmission(body, key), gone.signal);
      return reply.code(state === "conflict" ? 422 : 202).send({ id: requestId });
    });
    api.post("/answers", async (request) => {
      const { deliveries } = ResolveBody.parse(request.body);
      return { resolved: (await work.resolve(deliveries)).length };
    });
  };
}

function toSubmission({ kind, input, lane }: z.infer<typeof SubmitBody>, key: string): Submission {
  return {
    kind,
    tenant: "local",
    link: `${kind}:${input.id}`,
    postId: kind === POST_KIND ? input.id : null,
    outputs: [],
    recipes: { source: ["chaos"], asr: [], ocr: [], llm: [] },
    lane,
    deadline: null,
    idempotencyKey: key,
    language: null,
    input,
  };
}
