import type { Plan, Planner, RequestFacts, StageStates } from "@clipmill/domain";

/** The `failed_stage` of a request that failed while it was planned, not in a stage. */
const PLANNING = "plan";

/**
 * The next steps of a request; null if this program does not know its kind. If the planner throws, for example because
 * another version stored an output that this one cannot read, only this request fails, not the batch that it is in. The
 * same if the plan leaves nothing to wait for: the request would stay open for ever.
 */
export function planNext(plan: Planner, request: RequestFacts, states: StageStates): Plan | null {
  const { postId } = request;
  const fail = (message: string): Plan => ({
    kind: "failed",
    postId,
    stage: PLANNING,
    code: "internal",
    message,
  });
  try {
    const next = plan(request, states);
    if (next?.kind !== "steps" || next.steps.length > 0) return next;
    const waits = Object.values(states).some((state) => state?.state === "open");
    return waits ? next : fail("the plan has neither a step to wait for nor an end");
  } catch (error) {
    return fail(
      `the next steps cannot be planned: ${error instanceof Error ? error.name : "unknown"}`,
    );
  }
}
