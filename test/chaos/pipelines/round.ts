import { isErrorCode, type Resolution, type RunnableStage, toRunnable } from "@clipmill/domain";
import { createPipeline, step } from "@clipmill/pipeline";
import { z } from "zod";
import { AskOutput } from "./ask.ts";
import { defineChaosStage, Made, type Machine, parseBody } from "./machine.ts";

export const ROUND_KIND = "round";

/** An answer on its way back, as the upstream and the callers hand it over. */
export const Delivery = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("done"), token: z.string(), output: AskOutput }),
  z.object({
    kind: z.literal("failed"),
    token: z.string(),
    code: z.string().refine(isErrorCode),
    message: z.string(),
  }),
]);

/** `tokens` are those of questions; the deliveries may hold many that nobody ever waited for. */
export const RoundReply = z.object({
  tokens: z.array(z.string()),
  deliveries: z.array(Delivery),
});

const Input = z.object({ id: z.string() });
const Output = Made.extend({ tokens: z.array(z.string()) });

const collect = defineChaosStage(
  { name: "collect", queue: "cpu", input: Input, output: Output },
  ({ id }) => id,
);

/** A step that fetches the answers of one round, and ends all the jobs that wait for them. */
export const roundPipeline = createPipeline(
  ROUND_KIND,
  [step(collect, { after: [], input: ({ request }) => Input.parse(request.input) })],
  { isAboutPost: false },
);

export function createRoundStages({ call, make }: Machine): RunnableStage[] {
  return [
    toRunnable({
      ...collect,
      async run({ id }, ctx) {
        const { tokens, deliveries } = parseBody(RoundReply, await call("collect", id, ctx));
        const resolve: Resolution[] = deliveries;
        return { output: { tokens, ...make() }, resolve };
      },
    }),
  ];
}
