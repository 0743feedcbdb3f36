import {
  isWaitingReason,
  toAdvice,
  type WaitingFor,
  type WaitingLimits,
  type WaitingReason,
} from "@clipmill/domain";
import { toJobLane } from "../work/lane.ts";
import type { Stops } from "./stops.ts";

/** What a stage's job tells of its waiting. Moments are ISO times. */
export interface StageFacts {
  queue: string;
  tenant: string;
  putOffSince: string | null;
  createdAt: string;
  code: string | null;
  message: string | null;
}

interface Step {
  stage: string;
  state: string;
  wait: StageFacts | null;
}

/** Why the request does not go on: the first of its steps that cannot start. Null if each goes on, or is just slow. */
export function toWaitingFor(
  { lane, createdAt }: { lane: number; createdAt: string },
  steps: readonly Step[],
  stops: Stops,
  limits: WaitingLimits,
): WaitingFor | null {
  for (const { stage, state, wait } of steps) {
    if (wait === null || (state !== "ready" && state !== "queued")) continue;
    const found = findReason(wait, stops);
    if (found === null) continue;
    const since = later(found.since, createdAt);
    const limitMs = limits[toRequestLane(lane)];
    return {
      stage,
      reason: found.reason,
      message: found.message,
      ...toAdvice(found.reason),
      since,
      failsAt: limitMs === undefined ? null : new Date(Date.parse(since) + limitMs).toISOString(),
    };
  }
  return null;
}

/** A queue that nobody serves comes before what the last attempt lacked: to put that right would not help yet. */
function findReason(
  { queue, tenant, putOffSince, createdAt, code, message }: StageFacts,
  { queues, tenants }: Stops,
): { reason: WaitingReason; message: string; since: string } | null {
  const stop = queues.get(queue) ?? tenants.get(tenant);
  if (stop !== undefined) {
    const stoppedAt = Number.isFinite(stop.forMs) ? Date.now() - stop.forMs : 0;
    const since = later(new Date(stoppedAt).toISOString(), createdAt);
    return { reason: stop.reason, message: stop.message, since };
  }
  if (putOffSince === null || !isWaitingReason(code)) return null;
  return { reason: code, message: message ?? "", since: putOffSince };
}

/** A request's lane is never `quarantine`. */
function toRequestLane(rank: number): keyof WaitingLimits {
  const lane = toJobLane(rank);
  return lane === "quarantine" ? "standard" : lane;
}

function later(a: string, b: string): string {
  return new Date(Math.max(Date.parse(a), Date.parse(b))).toISOString();
}
