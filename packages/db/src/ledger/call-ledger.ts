import type { CallLedger } from "@clipmill/domain";
import type { Database } from "../database.ts";
import { openCalls } from "./open-calls.ts";

/** Prices of paid calls: see `CallLedger`. That of a success is stored with the stage's result, by `settle`. */
export function createCallLedger(pool: Database["pool"]): CallLedger {
  return {
    open: (intents) => openCalls(pool, intents),
    async fail({ callId, usd }) {
      await pool.query({
        name: "fail_call",
        text: "update cost_entry set state = 'failed', usd = $2 where id = $1",
        values: [callId, usd],
      });
    },
  };
}
