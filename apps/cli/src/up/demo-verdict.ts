import type { RequestView } from "@clipmill/domain";
import { type SamplePost, wordRecall } from "@clipmill/sandbox";

/** The share of a clip's words that recognition must have heard for the demo to count as working. */
const MIN_WORD_RECALL = 0.8;

/**
 * What of a sample post's outcome differs from the pack's expectation; empty: nothing. `speechIsReal`: this machine
 * has a recogniser, so that the words were really heard.
 */
export function findDifferences(
  post: Pick<SamplePost, "expect" | "words">,
  view: RequestView,
  { speechIsReal }: { speechIsReal: boolean },
): string[] {
  const { expect, words } = post;
  const expected = {
    ...expect,
    simulated: speechIsReal ? expect.simulated : expect.simulatedWithoutAsr,
  };
  const differences: string[] = [];
  const compare = (what: string, wanted: string, got: string) => {
    if (wanted !== got) differences.push(`${what} is ${got}, expected ${wanted}`);
  };
  compare("outcome", expected.outcome, view.state);
  compare("code", expected.code ?? "none", view.failure?.code ?? "none");
  const { result } = view;
  if (result === null || expected.outcome !== "done") return differences;
  compare("simulated", toList(expected.simulated), toList(result.simulated));
  for (const source of expected.sources ?? []) {
    if (!result.sources.includes(source))
      differences.push(`the summary does not rest on ${source}`);
  }
  const recall = words === null ? 1 : wordRecall(words, result.transcript);
  if (recall < MIN_WORD_RECALL) {
    differences.push(`only ${Math.round(recall * 100)} % of the words were recognised`);
  }
  return differences;
}

function toList(names: readonly string[]): string {
  return [...names].sort().join(", ") || "none";
}
