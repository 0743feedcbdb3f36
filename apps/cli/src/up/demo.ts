import { parseLink, type RequestView } from "@clipmill/domain";
import { type SamplePost, samplePosts } from "@clipmill/sandbox";
import { findDifferences } from "./demo-verdict.ts";
import { toCostText, toPrintable, toSecondsText } from "../printable.ts";
import { followRequest, type StageChange } from "../run/progress.ts";
import type { Intake, Requests } from "../run/requests.ts";

export interface DemoOptions {
  requests: Requests;
  /** This machine has a recogniser. */
  speechIsReal: boolean;
  print(line: string): void;
  signal: AbortSignal;
  /** The whole pack; default: 5 min. */
  timeoutMs?: number;
}

export interface DemoOutcome {
  total: number;
  asExpected: number;
  cached: number;
}

interface PostOutcome {
  differences: string[];
  cached: boolean;
}

/** Puts the sample pack through the pipeline, all at once, and compares what came out with what the pack expects. */
export async function runDemo(options: DemoOptions): Promise<DemoOutcome> {
  const posts = samplePosts();
  const accepted = await options.requests.submit(posts.map(toIntake));
  const outcomes = await Promise.all(
    posts.map((post, index) => follow(post, accepted[index]?.requestId ?? "", options)),
  );
  const { print } = options;
  print("* simulated: the sandbox stands in for a machine of someone else");
  for (const [index, { differences }] of outcomes.entries()) {
    const post = posts[index];
    if (post === undefined) continue;
    for (const difference of differences) print(`${toLabel(post)}  differs: ${difference}`);
  }
  return {
    total: outcomes.length,
    asExpected: outcomes.filter(({ differences }) => differences.length === 0).length,
    cached: outcomes.filter(({ cached }) => cached).length,
  };
}

function toIntake(post: SamplePost): Intake {
  const link = parseLink(post.url);
  const postId = link.kind === "post" ? link.awemeId : null;
  return { link: link.url, postId, origin: "tiktok", language: null };
}

async function follow(
  post: SamplePost,
  requestId: string,
  { requests, speechIsReal, print, signal, timeoutMs = 300_000 }: DemoOptions,
): Promise<PostOutcome> {
  const startedAt = Date.now();
  const since = () => toSecondsText(Date.now() - startedAt).padStart(7);
  const onChange = ({ stage, state, attempts }: StageChange) => {
    const tries = attempts > 1 ? ` (attempt ${attempts})` : "";
    print(`${toLabel(post)}  ${since()}  ${stage}: ${state}${tries}`);
  };
  const view = await followRequest(requests.reader, requestId, { timeoutMs, signal, onChange });
  print(`${toLabel(post)}  ${since()}  ${toOutcomeText(view)}`);
  return {
    differences: findDifferences(post, view, { speechIsReal }),
    cached: view.result?.cached === true,
  };
}

function toLabel({ id, kind }: SamplePost): string {
  return `…${id.slice(-3)} ${kind.padEnd(11)}`;
}

function toOutcomeText({ state, failure, result }: RequestView): string {
  if (result === null) {
    return failure === null ? state : `${state}: ${failure.code}, ${toPrintable(failure.message)}`;
  }
  const { cost, simulated, cached, summary } = result;
  const marks = [
    toCostText(cost.usd, simulated),
    ...(cached ? ["cached"] : []),
    ...(simulated.length > 0 ? [`simulated: ${simulated.join(", ")}`] : []),
  ];
  return `${state}  ${marks.join("  ")}  “${toPrintable(summary?.tldr ?? result.transcript)}”`;
}
