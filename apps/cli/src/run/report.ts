import { type PostResult, type RequestView, toPublicWaitingFor } from "@clipmill/domain";
import { toCostText, toPrintable } from "../printable.ts";

/** A result for a person at a terminal. Everything in it came from outside. */
export function toReport(result: PostResult): string {
  const { attribution, cost, duration, language, models, ocr, simulated, sources, summary } =
    result;
  const engines = Object.values(models).filter((engine) => engine !== null);
  const parts = [
    attribution,
    result.url,
    section("Summary", summary === null ? null : summary.tldr),
    summary === null ? null : summary.takeaways.map((line) => `  - ${line}`).join("\n"),
    summary === null ? null : `Sentiment  ${summary.sentiment}\nAsks for   ${summary.cta}`,
    section(`Transcript (${language ?? "language unknown"}, ${duration} s)`, result.transcript),
    section("On screen", ocr.join("\n")),
    `Rests on   ${sources.join(", ") || "nothing"}`,
    `Engines    ${engines.join(", ") || "none"}`,
    `Cost       ${toCostText(cost.usd, simulated)}${result.cached ? "  (from the cache)" : ""}`,
    simulated.length === 0 ? null : `Simulated  ${simulated.join(", ")}: not real`,
    ...result.warnings.map(
      ({ stage, code, message }) => `Warning    ${stage}: ${message} (${code})`,
    ),
  ];
  return toPrintable(parts.filter((part) => part !== null && part !== "").join("\n"));
}

/** A request without a result, for a program. */
export function toJsonView({ state, failure, waitingFor }: RequestView): object {
  return {
    status: state,
    error: failure,
    ...(waitingFor === null ? {} : { waiting_for: toPublicWaitingFor(waitingFor) }),
  };
}

/** How a request without a result ended, or why it does not go on. */
export function toEndLine({ state, failure, waitingFor }: RequestView): string {
  if (failure !== null) return `${state}: ${toPrintable(failure.message)} (${failure.code})`;
  if (waitingFor === null) return `ended ${state}`;
  const { stage, message, reason } = waitingFor;
  return `not done: ${stage} waits: ${toPrintable(message)} (${reason})`;
}

function section(title: string, body: string | null): string | null {
  return body === null || body === "" ? null : `\n${title}\n${body}`;
}
