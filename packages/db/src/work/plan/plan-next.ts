import type { Plan, Planner, RequestFacts, StageStates } from "@clipmill/domain";

/** Where a request fails that no stage failed. */
const PLANNING = "plan";

/**
 * What follows for a request; null where its kind is unknown. A result or an input that cannot be read, of another
 * version say, ends its own request and not the batch that it is in. So does a plan without a step to wait for: the
 * request would be open for ever.
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
    return waits ? next : fail("the plan has no step left and no end");
  } catch (error) {
    return fail(
      `what follows cannot be planned: ${error instanceof Error ? error.name : "unknown"}`,
    );
  }
}
