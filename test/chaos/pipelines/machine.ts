import {
  defineStage,
  RetryableError,
  SkipError,
  type StageContext,
  type StageSpec,
  type Storage,
} from "@clipmill/domain";
import { z } from "zod";

/** In the output of each run: the audit compares `worker` with who held the job, and no two runs share a `nonce`. */
export const Made = z.object({ worker: z.string(), nonce: z.string() });
export type Made = z.infer<typeof Made>;

/** Faults burn attempts here that would take days to meet elsewhere; nothing may die of that. */
const ATTEMPTS = 30;

type Facts<In, Out> = Pick<StageSpec<In, Out>, "name" | "queue" | "input" | "output">;

/** A stage of a simulated machine; its key is the id of what it is about. */
export function defineChaosStage<In, Out>(
  facts: Facts<In, Out>,
  key: (input: In) => string,
): StageSpec<In, Out> {
  return defineStage({
    ...facts,
    attempts: ATTEMPTS,
    // Longer than any pause: a zombie must come as far as its write, or the fence is never tried.
    timeoutMs: 60_000,
    key,
  });
}

export interface MachineDeps {
  upstreamUrl: string;
  storage: Storage;
  workerId: string;
}

/** What the stages work with. */
export interface Machine {
  storage: Storage;
  /** Each call stands in the upstream's books under the stage and the job's key. */
  call(stage: string, key: string, ctx: StageContext): Promise<Uint8Array>;
  make(): Made;
}

export function createMachine({ upstreamUrl, storage, workerId }: MachineDeps): Machine {
  return {
    storage,
    async call(stage, key, { signal }) {
      const response = await fetch(`${upstreamUrl}/${stage}/${key}`, { signal });
      const body = new Uint8Array(await response.arrayBuffer());
      if (response.status === 410) throw new SkipError("gone", "deleted", { upstream: "chaos" });
      if (!response.ok) {
        throw new RetryableError("upstream_unavailable", `the upstream says ${response.status}`, {
          upstream: "chaos",
        });
      }
      return body;
    },
    make: () => ({ worker: workerId, nonce: Math.random().toString(36).slice(2) }),
  };
}

/** The upstream's answer, as JSON. */
export function parseBody<T>(schema: z.ZodType<T>, body: Uint8Array): T {
  return schema.parse(JSON.parse(new TextDecoder().decode(body)));
}
