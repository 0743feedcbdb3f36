import { type ParsedFault, type RouteName, toRoutes } from "./fault.ts";

/** The faults in force. */
export interface FaultPlan {
  add(faults: readonly ParsedFault[]): void;
  /** Takes back what was added; the faults that the pack starts with stay. */
  clear(): void;
  /** The first fault that hits this request, or null. It is used up by the call. */
  take(route: RouteName, postId: string | null): ParsedFault | null;
}

interface ArmedFault {
  fault: ParsedFault;
  left: number;
  draw: () => number;
}

/** Every fault draws from a generator of its own, so that traffic on one route does not change the luck of another. */
export function newFaultPlan(packFaults: readonly ParsedFault[], seed: number): FaultPlan {
  let armedCount = 0;
  const arm = (fault: ParsedFault): ArmedFault => ({
    fault,
    left: fault.times ?? Number.POSITIVE_INFINITY,
    draw: newGenerator(seed + armedCount++),
  });
  const ofPack = packFaults.map(arm);
  let added: ArmedFault[] = [];

  return {
    add(faults) {
      added.push(...faults.map(arm));
    },
    clear() {
      added = [];
    },
    take(route, postId) {
      const hit = [...added, ...ofPack].find(
        ({ fault, left, draw }) =>
          left > 0 && matches(fault, route, postId) && draw() < (fault.rate ?? 1),
      );
      if (hit === undefined) return null;
      hit.left -= 1;
      return hit.fault;
    },
  };
}

function matches({ kind, match }: ParsedFault, route: RouteName, postId: string | null): boolean {
  if (match.postId !== undefined && match.postId !== postId) return false;
  return match.route === undefined ? toRoutes(kind).includes(route) : match.route === route;
}

/** mulberry32: small, and good enough to spread faults; Math.random cannot be seeded. */
function newGenerator(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
