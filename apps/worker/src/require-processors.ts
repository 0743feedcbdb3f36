import type { RunnableStage } from "@clipmill/domain";

/**
 * Throws unless the plan's steps and the processors are the same stages: jobs of a step that nobody runs would wait
 * for ever, and a processor of no step is a step that was renamed or forgotten. (The runner refuses two of one name.)
 */
export function requireProcessors(
  steps: readonly string[],
  processors: readonly Pick<RunnableStage, "name">[],
): void {
  const names = processors.map(({ name }) => name);
  const problems = [
    ...steps
      .filter((step) => !names.includes(step))
      .map((step) => `the step ${step} has no processor`),
    ...names
      .filter((name) => !steps.includes(name))
      .map((name) => `the processor ${name} belongs to no step`),
  ];
  if (problems.length > 0) throw new Error(`the pipeline is wired wrong: ${problems.join(", ")}`);
}
