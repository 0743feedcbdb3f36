import type { SerializedError } from "vitest";
import type { Reporter, TestModule } from "vitest/node";

/** Says which parts of the tests were skipped and why, and ends with the one line that scripts read. */
export class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    // A file that does not even load has no tests, and an error outside of a test belongs to none.
    const broken = modules.filter((module) => module.errors().length > 0).length;
    const failed = count("failed") + broken + unhandled.length;
    const skipped = count("skipped");
    const lines = [...groupByReason(modules)].map(
      ([reason, parts]) => `skipped (${reason}): ${parts.join("; ")}`,
    );
    const tail = skipped === 0 ? "" : `, ${skipped} skipped`;
    lines.push(`${count("passed")} passed, ${failed} failed${tail}`);
    // Vitest prints the failures after this; the last line of all is ours.
    process.once("exit", () => console.log(lines.join("\n")));
  }
}

/** A part that needs a tool says so at the end of its title: `… (needs ffmpeg)`. */
function groupByReason(modules: readonly TestModule[]): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  for (const module of modules) {
    for (const test of module.children.allTests("skipped")) {
      const title = test.fullName;
      const reason = /\((needs [^)]+)\)/.exec(title)?.[1] ?? "no reason given";
      const part = title.split(" > ")[0] ?? title;
      const parts = reasons.get(reason) ?? [];
      if (!parts.includes(part)) reasons.set(reason, [...parts, part]);
    }
  }
  return reasons;
}
