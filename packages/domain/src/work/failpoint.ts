/** Where a test may end the process, in the order in which work passes. */
export const FAILPOINTS = [
  /** The request and its first step are written, not committed. */
  "in-accept",
  /** They are committed; the caller has no answer. */
  "after-accept",
  /** Dispatched in Postgres; the queue has no hint. */
  "after-dispatch",
  /** The hints are in the queue. */
  "after-push",
  "after-claim",
  /** A next step is claimed with the result that it follows from, and has not started. */
  "after-eager-start",
  /** A file is written and synced under its temporary name. */
  "before-rename",
  /** The file has its name; no row knows it. */
  "after-rename",
  /** The stage has run; nothing of its result is stored. */
  "before-settle",
  /** Result and next steps are written, with what the stage submits and resolves, not committed. */
  "in-settle",
  /** They are committed; the queue has not been told. */
  "after-settle",
  /** Waiting jobs are resolved and what follows is written, not committed. */
  "in-resolve",
  /** It is committed; whoever resolved them has no answer. */
  "after-resolve",
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/** `where` tells apart what passes one point: a queue or a stage; empty where nothing does. */
export type FailpointTrap = (point: Failpoint, where: string) => void;

let trap: FailpointTrap | null = null;

/** Called once, by a program's main; null leaves every failpoint without effect. */
export function armFailpoints(next: FailpointTrap | null): void {
  trap = next;
}

export function failpoint(point: Failpoint, where = ""): void {
  trap?.(point, where);
}
