/** More would have no effect: the pool's own limit ends a statement that takes longer. */
const FACTOR_MAX = 4;

/**
 * A limit of time for work that is tried again. Each failure in a row doubles it, up to four times, so that a server that
 * is only slow can finish: at a load of 30 on two cores each accept took more than its 10 s, was undone, and came again.
 */
export function createPatience(
  withinMs: number,
): <T>(work: (withinMs: number) => Promise<T>) => Promise<T> {
  let factor = 1;
  return async (work) => {
    const own = factor;
    try {
      const result = await work(withinMs * own);
      factor = 1;
      return result;
    } catch (error) {
      // Doubles its own value: two that fail at the same time count as one failure.
      factor = Math.min(FACTOR_MAX, own * 2);
      throw error;
    }
  };
}
