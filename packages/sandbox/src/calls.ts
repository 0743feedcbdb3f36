import { type FaultKind, ROUTE_NAMES, type RouteName } from "./faults/fault.ts";

export interface RouteCalls {
  total: number;
  /** How often each fault fired here: the proof that it reached its target. */
  faults: Partial<Record<FaultKind, number>>;
  /** Calls per sample post, where the request tells which. */
  posts: Record<string, number>;
}

/** What the sandbox was asked for since it started. */
export type Calls = Record<RouteName, RouteCalls>;

export interface CallCounter {
  count(route: RouteName, postId: string | null, fault: FaultKind | null): void;
  snapshot(): Calls;
}

export function newCallCounter(): CallCounter {
  const calls = Object.fromEntries(
    ROUTE_NAMES.map((name): [RouteName, RouteCalls] => [name, { total: 0, faults: {}, posts: {} }]),
  ) as Calls;
  return {
    count(route, postId, fault) {
      const of = calls[route];
      of.total += 1;
      if (postId !== null) of.posts[postId] = (of.posts[postId] ?? 0) + 1;
      if (fault !== null) of.faults[fault] = (of.faults[fault] ?? 0) + 1;
    },
    snapshot: () => structuredClone(calls),
  };
}
