import type { Models, PostResult } from "@clipmill/domain";
import { html, type Html, toSafeHref } from "./html.ts";
import { toClock, toDollars, toDuration } from "./parts.ts";

/** All of a result but its ribbon, for people. */
export function toResultSections(result: PostResult): Html {
  return html`${toAttributionLine(result)} ${result.warnings.map(toWarning)} ${toSummary(result)}
  ${toTranscript(result)} ${toScreenText(result)} ${toFacts(result)} ${toTimings(result)}`;
}

function toAttributionLine({ attribution, url, author, author_url }: PostResult): Html {
  const [post, creator] = [toSafeHref(url), toSafeHref(author_url)];
  const credit = html`<span dir="auto">${attribution}</span>`;
  return html`<p class="attribution">
    ${post === null ? credit : html`<a href="${post}" rel="noreferrer nofollow">${credit}</a>`}
    ${creator !== null && html`<a href="${creator}" rel="noreferrer nofollow">more by <bdi>@${author}</bdi></a>`}
  </p>`;
}

function toWarning({ stage, code, message }: PostResult["warnings"][number]): Html {
  return html`<p class="warning">
    <b>${stage}</b> <code>${code}</code> <span dir="auto">${message}</span>
  </p>`;
}

function toSummary({ summary }: PostResult): Html | null {
  if (summary === null) return null;
  return html`<section>
    <h2>Summary</h2>
    <p class="lead" dir="auto">${summary.tldr}</p>
    <ul dir="auto">
      ${summary.takeaways.map((takeaway) => html`<li dir="auto">${takeaway}</li>`)}
    </ul>
    <p class="quiet">Sentiment: ${summary.sentiment} · Call to action: <bdi>${summary.cta}</bdi></p>
  </section>`;
}

function toTranscript({ segments, transcript }: PostResult): Html {
  if (segments.length === 0 && transcript === "") {
    return html`<section>
      <h2>Transcript</h2>
      <p class="quiet">No speech.</p>
    </section>`;
  }
  return html`<section>
    <h2>Transcript</h2>
    ${
      segments.length === 0
        ? html`<p dir="auto">${transcript}</p>`
        : html`<ol class="segments">
            ${segments.map(
              ({ start, text }) =>
                html`<li><time>${toClock(start)}</time><span dir="auto">${text}</span></li>`,
            )}
          </ol>`
    }
  </section>`;
}

function toScreenText({ ocr }: PostResult): Html | null {
  if (ocr.length === 0) return null;
  return html`<section>
    <h2>On-screen text</h2>
    <ul class="screen">
      ${ocr.map((line) => html`<li dir="auto">${line}</li>`)}
    </ul>
  </section>`;
}

function toFacts(result: PostResult): Html {
  const counts = Object.entries(result.engagement).map(([name, count]) => [
    toCapital(name),
    count === null ? "unknown" : count.toLocaleString("en"),
  ]);
  const engines = Object.entries(result.models)
    .filter(([, engine]) => engine !== null)
    .map(([part, engine]) => [ENGINE_PARTS[part as keyof Models], engine]);
  const facts = [
    ["Post", result.aweme_id ?? "a local file"],
    ["Language", result.language ?? "unknown"],
    ["Length", toClock(result.duration)],
    ["From the cache", result.cached ? "yes" : "no"],
    ...counts,
    ["Summary rests on", result.sources.join(", ") || "nothing"],
    ...engines,
  ];
  return html`<section>
    <h2>Facts</h2>
    <dl>
      ${facts.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}

const ENGINE_PARTS: Record<keyof Models, string> = {
  source: "Fetched by",
  asr: "Speech by",
  ocr: "Screen read by",
  llm: "Summary by",
};

function toCapital(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

/** Time and money of each stage, with a bar for its share of the time. */
function toTimings({ timings_ms, cost }: PostResult): Html | null {
  const stages = [...new Set([...Object.keys(timings_ms), ...Object.keys(cost.by_stage)])];
  const times = Object.values(timings_ms);
  const [longest, total] = [Math.max(1, ...times), times.reduce((sum, ms) => sum + ms, 0)];
  if (stages.length === 0)
    return html`<section>
      <h2>Time and cost</h2>
      <p>${toDollars(cost.usd)}</p>
    </section>`;
  return html`<section>
    <h2>Time and cost</h2>
    <table>
      <tr>
        <th>Stage</th>
        <th class="grow"></th>
        <th class="number">Time</th>
        <th class="number">Cost</th>
      </tr>
      ${stages.map((stage) => {
        const ms = timings_ms[stage];
        return html`<tr>
          <td>${stage}</td>
          <td class="grow"><meter min="0" max="${longest}" value="${ms ?? 0}"></meter></td>
          <td class="number">${ms === undefined ? "–" : toDuration(ms)}</td>
          <td class="number">${toDollars(cost.by_stage[stage] ?? 0)}</td>
        </tr>`;
      })}
      <tr class="total">
        <td>Total</td>
        <td class="grow"></td>
        <td class="number">${toDuration(total)}</td>
        <td class="number">${toDollars(cost.usd)}</td>
      </tr>
    </table>
  </section>`;
}
