import type { Queryable } from "./database.ts";

/** `clipmill_ready` carries queue names, `clipmill_request` ids of requests that ended. */
export type Channel = "clipmill_ready" | "clipmill_request";

/**
 * Above this many ids in one transaction nobody is waiting for a single one: it is a backfill. Whoever does wait
 * polls, because a notification is only ever an accelerator.
 */
const NOTIFIED_MAX = 200;

/** Delivered when the transaction commits. */
export async function notify(
  tx: Queryable,
  channel: Channel,
  payloads: readonly string[],
): Promise<void> {
  if (payloads.length === 0 || payloads.length > NOTIFIED_MAX) return;
  await tx.query({
    name: "notify",
    text: "select pg_notify($1, payload) from unnest($2::text[]) as payload",
    values: [channel, payloads],
  });
}
