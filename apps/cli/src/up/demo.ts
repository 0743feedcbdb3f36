import { parseLink, type RequestView } from "@clipmill/domain";
import { type SamplePost, samplePosts } from "@clipmill/sandbox";
import { findDifferences } from "./demo-verdict.ts";
import { toCostText, toPrintable, toSecondsText } from "../printable.ts";
import { followRequest, type StageChange } from "../run/progress.ts";
import type { Intake, Requests } from "../run/requests.ts";

export interface DemoOptions {
  requests: Requests;
  /** Whether this machine has a recogniser. Asked once, while the posts are under way: it may take a second. */
  isSpeechReal(): Promise<boolean>;
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

/** Puts the sample pack through the pipeline, all at once, and compares what came out with what the pack expects. */
export async function runDemo(options: DemoOptions): Promise<DemoOutcome> {
  const posts = samplePosts();
  const accepted = await options.requests.submit(posts.map(toIntake));
  const following = posts.map(async (post, index) => ({
    post,
    view: await follow(post, accepted[index]?.requestId ?? "", options),
  }));
  const [speechIsReal, ended] = await Promise.all([options.isSpeechReal(), Promise.all(following)]);
  const { print } = options;
  print("* simulated: the sandbox stands in for a machine of someone else");
  let asExpected = 0;
  for (const { post, view } of ended) {
    const differences = findDifferences(post, view, { speechIsReal });
    if (differences.length === 0) asExpected++;
    for (const difference of differences) print(`${toLabel(post)}  differs: ${difference}`);
  }
  const cached = ended.filter(({ view }) => view.result?.cached === true).length;
  return { total: ended.length, asExpected, cached };
}

function toIntake(post: SamplePost): Intake {
  const link = parseLink(post.url);
  const postId = link.kind === "post" ? link.awemeId : null;
  return { link: link.url, postId, origin: "tiktok", language: null };
}

async function follow(
  post: SamplePost,
  requestId: string,
  { requests, print, signal, timeoutMs = 300_000 }: DemoOptions,
): Promise<RequestView> {
  const startedAt = Date.now();
  const since = () => toSecondsText(Date.now() - startedAt).padStart(7);
  const onChange = ({ stage, state, attempts }: StageChange) => {
    const tries = attempts > 1 ? ` (attempt ${attempts})` : "";
    print(`${toLabel(post)}  ${since()}  ${stage}: ${state}${tries}`);
  };
  const view = await followRequest(requests.reader, requestId, { timeoutMs, signal, onChange });
  print(`${toLabel(post)}  ${since()}  ${toOutcomeText(view)}`);
  return view;
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
