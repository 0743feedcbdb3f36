import {
  type CallIntent,
  type CallLedger,
  type CallSettlement,
  type JobRef,
  LeaseLostError,
  type PaidCall,
} from "@clipmill/domain";
import { createGroupCommit } from "../group-commit.ts";

/** Records paid calls before they are made, those of many jobs in one commit. */
export interface PaidCalls {
  /** Resolves with the call's id once the intent to call is committed. Throws LeaseLostError if the job was lost: do not call. */
  open(job: JobRef, call: PaidCall): Promise<number>;
  /** Records at once what a failed call cost. */
  fail(settlement: CallSettlement): Promise<void>;
}

export function createPaidCalls({
  ledger,
  batchMax,
}: {
  ledger: CallLedger;
  batchMax: number;
}): PaidCalls {
  const batches = createGroupCommit<CallIntent, number | null>({
    maxItems: batchMax,
    flush: (intents) => ledger.open(intents),
  });
  return {
    async open(job, { engine, estimateUsd }) {
      const callId = await batches.add({ job, engine, estimateUsd });
      if (callId === null) throw new LeaseLostError("the job is no longer the caller's");
      return callId;
    },
    fail: (settlement) => ledger.fail(settlement),
  };
}
