import type {
  ClaimedJob,
  QueueName,
  RunnableStage,
  StageResult,
  StageWait,
} from "@clipmill/domain";
import { createRunner } from "@clipmill/queue";
import { silentLog } from "./toy-pipeline.ts";
import type { WorkFixture } from "./work-fixture.ts";

/**
 * Runs the ready jobs of a stage on one worker, so that their results are stored in one batch. Returns how they ended,
 * in the order of `keys`.
 */
export async function runTogether(
  { work, rows }: Pick<WorkFixture, "work" | "rows">,
  { stage, queue, keys }: { stage: string; queue: QueueName; keys: readonly string[] },
  run: (key: string) => StageResult<unknown> | StageWait,
): Promise<{ state: string; code: string | null }[]> {
  const runnable: RunnableStage = {
    name: stage,
    queue,
    attempts: 3,
    timeoutMs: 10_000,
    run: async (input) => run((input as { id: string }).id),
  };
  // The worker batches claims and settlements of one tick.
  const jobs = await work.claim(await work.dispatch(queue, 1_000), "w");
  const byRef = new Map(jobs.map((job) => [job.id, job]));
  const claim = async (refs: readonly { id: number }[]) =>
    refs.flatMap(({ id }): ClaimedJob[] => [byRef.get(id)].filter((job) => job !== undefined));
  const runner = createRunner({
    stages: [runnable],
    hints: { push: () => Promise.resolve() },
    work: { ...work, claim },
    ledger: work,
    workerId: "w",
    leaseMs: 30_000,
    log: silentLog,
  });
  await Promise.all(jobs.map((job) => runner.run(job)));
  await runner.close();
  return await rows(
    `select state, error_code as code from stage_job where stage = $1 and key = any ($2)
     order by array_position($2, key)`,
    [stage, keys],
  );
}
