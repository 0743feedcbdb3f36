import { type RunnableStage, toRunnable, UnrecoverableError } from "@clipmill/domain";
import { createPipeline, step } from "@clipmill/pipeline";
import { z } from "zod";
import { defineChaosStage, Made, type Machine, parseBody } from "./machine.ts";

export const ASK_KIND = "ask";

/** What becomes of a question's answer on its way back; the question's id begins with it. */
export const FATES = ["once", "twice", "late", "never", "refused"] as const;
export type Fate = (typeof FATES)[number];

export function toFate(questionId: string): Fate {
  const fate = FATES.find((name) => questionId.startsWith(`${name}-`));
  if (fate === undefined) throw new Error(`${questionId} begins with no fate`);
  return fate;
}

/** What a job that asked this waits for. */
export const toToken = (questionId: string) => `question ${questionId}`;

/** Always the same, so that an answer which went to another question shows. */
export const toAnswer = (questionId: string) => `answer of ${questionId}`;

/** An answer that is late comes after this. */
export const ANSWERED_WITHIN_MS = 4_000;

export const REFUSAL = { code: "refused", message: "the question is refused" } as const;

const Input = z.object({ id: z.string() });
/** Of a run or of who resolved the token; only a run has a worker. */
export const AskOutput = z.object({
  id: z.string(),
  token: z.string(),
  answer: z.string(),
  nonce: z.string(),
  worker: z.string().optional(),
});
const UseInput = AskOutput.pick({ id: true, answer: true });

/** What the upstream says to a question; both are missing while it has no answer. */
export const AskReply = z.object({ answer: z.string().optional(), isRefused: z.boolean() });

const ask = defineChaosStage(
  { name: "ask", queue: "io", input: Input, output: AskOutput },
  ({ id }) => id,
);
const use = defineChaosStage(
  { name: "use", queue: "llm", input: UseInput, output: Made.extend(UseInput.shape) },
  ({ id }) => id,
);

/** A step that waits for somebody else's answer, and one that uses it. */
export const askPipeline = createPipeline(
  ASK_KIND,
  [
    step(ask, { after: [], input: ({ request }) => Input.parse(request.input) }),
    step(use, { after: [ask], input: ({ output }) => output(ask) ?? null }),
  ],
  { isAboutPost: false },
);

export function createAskStages({ call, make }: Machine): RunnableStage[] {
  return [
    toRunnable({
      ...ask,
      async run({ id }, ctx) {
        const token = toToken(id);
        const { answer, isRefused } = parseBody(AskReply, await call("ask", id, ctx));
        if (isRefused) throw new UnrecoverableError(REFUSAL.code, REFUSAL.message);
        if (answer !== undefined) return { output: { id, token, answer, ...make() } };
        // Again under the same token, should its time be over: the question has not changed.
        return { waitFor: { token, timeoutMs: ANSWERED_WITHIN_MS } };
      },
    }),
    toRunnable({
      ...use,
      async run({ id, answer }, ctx) {
        await call("use", id, ctx);
        return { output: { id, answer, ...make() } };
      },
    }),
  ];
}
