import { FaultError } from "../../../http/problem.ts";

/** What any sender may take, and what each byte gives it on top: below 100 bytes a second a line is of no use. */
const FREE_MS = 60_000;
const MS_PER_BYTE = 10;

/**
 * The pieces of a body as long as its sender keeps a pace; only the time in which we wait for it counts. Throws
 * FaultError 408 for one that drips. `now` is a test's.
 */
export async function* withPatience(
  pieces: AsyncIterator<Buffer>,
  now: () => number = performance.now.bind(performance),
): AsyncGenerator<Buffer> {
  let leftMs = FREE_MS;
  for (;;) {
    const askedAt = now();
    const { done, value } = await pieces.next();
    if (done === true) return;
    leftMs += value.length * MS_PER_BYTE - (now() - askedAt);
    if (leftMs < 0) {
      const detail = "the list arrives too slowly; send the same again, under its idempotency key";
      throw new FaultError({ code: "invalid_request", status: 408, detail });
    }
    yield value;
  }
}
