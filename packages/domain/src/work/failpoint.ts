/** Where a test may end the process, in the order in which a job reaches them. */
export const FAILPOINTS = [
  /** The request and its first step are written, not committed. */
  "in-accept",
  /** They are committed; the caller has not been answered. */
  "after-accept",
  /** Dispatched in Postgres; the queue has no hint. */
  "after-dispatch",
  /** The hints are in the queue. */
  "after-push",
  "after-claim",
  /** The next step is claimed in the transaction that stored the result before it, and has not started. */
  "after-eager-start",
  /** A file is written and synced under its temporary name. */
  "before-rename",
  /** The file has its name; no row names it yet. */
  "after-rename",
  /** The stage has run; nothing of its result is stored. */
  "before-settle",
  /** The result, the next steps and what the stage submits and resolves are written, not committed. */
  "in-settle",
  /** They are committed; no hint has been pushed. */
  "after-settle",
  /** Waiting jobs are resolved and their next steps are written, not committed. */
  "in-resolve",
  /** They are committed; the caller that resolved them has not been answered. */
  "after-resolve",
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/** `where` is the queue or stage that reached the point, or "" at a point that has neither. */
export type FailpointTrap = (point: Failpoint, where: string) => void;

let trap: FailpointTrap | null = null;

/** A program's main calls it once. With null, no failpoint does anything. */
export function armFailpoints(next: FailpointTrap | null): void {
  trap = next;
}

export function failpoint(point: Failpoint, where = ""): void {
  trap?.(point, where);
}
