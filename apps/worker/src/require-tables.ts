import type { RecordTable } from "@clipmill/db";
import type { RunnableStage } from "@clipmill/domain";

/**
 * Throws unless there is a table for every kind of record that a stage produces: a result that cannot be stored would
 * fail, and with it those that are stored in one transaction with it.
 */
export function requireTables(
  stages: readonly Pick<RunnableStage, "name" | "produces">[],
  tables: readonly { kind: Pick<RecordTable["kind"], "name"> }[],
): void {
  const stored = new Set(tables.map(({ kind }) => kind.name));
  const problems = stages.flatMap(({ name, produces = [] }) =>
    produces
      .filter((kind) => !stored.has(kind))
      .map((kind) => `the stage ${name} produces ${kind}, which has no table`),
  );
  if (problems.length > 0) throw new Error(`the pipeline is wired wrong: ${problems.join(", ")}`);
}
