import {
  ERROR_CODES,
  isTerminal,
  type PostResult,
  type RequestView,
  type WaitingFor,
} from "@clipmill/domain";
import { html, type Html } from "./html.ts";
import { renderPage } from "./layout.ts";
import { toDollars, toMoment, toStatusPill } from "./parts.ts";
import { toResultSections } from "./result-sections.ts";

/** One job for people. Everything of the post and of a model is untrusted text. It reloads itself until the job has ended. */
export function renderJobPage(job: RequestView): string {
  return renderPage({
    title: `${job.postId ?? job.id} · clipmill`,
    ...(isTerminal(job.state) ? {} : { refreshSeconds: 2 }),
    body: html`${job.result !== null && toRibbon(job.result)}
      <div class="headline">
        <h1 dir="auto">${toHeading(job)}</h1>
        ${toStatusPill(job.state)}
      </div>
      ${job.waitingFor !== null && toWaiting(job.waitingFor)}
      ${job.failure !== null && toFailure(job.failure)}
      ${job.result === null ? toProgress(job) : toResultSections(job.result)}
      <footer><a href="/v1/jobs/${job.id}">This job as JSON</a></footer>`,
  });
}

function toHeading({ result, postId }: RequestView): string {
  const author = result?.author ?? null;
  return author === null ? (postId ?? "Post not known yet") : `@${author}`;
}

/** Says what is not real, first thing on the page. */
function toRibbon({ simulated }: PostResult): Html | null {
  if (simulated.length === 0) return null;
  return html`<p class="ribbon">
    <b>Simulated</b> Output or cost of ${simulated.join(", ")} is recorded or made up, not real.
  </p>`;
}

function toWaiting({ stage, reason, message, advice, since, failsAt }: WaitingFor): Html {
  return html`<section class="waiting">
    <h2>${ERROR_CODES[reason].title}</h2>
    <p dir="auto">${message}</p>
    <p>${advice}</p>
    <p class="quiet">
      <a href="/errors#${reason}"><code>${reason}</code></a> in ${stage} · waits since
      <time datetime="${since}">${toMoment(since)}</time
      >${failsAt !== null && html` · fails at <time datetime="${failsAt}">${toMoment(failsAt)}</time>`}
    </p>
  </section>`;
}

function toFailure({ code, message, stage, retryable }: NonNullable<RequestView["failure"]>): Html {
  return html`<section class="failure">
    <h2>${ERROR_CODES[code].title}</h2>
    <p dir="auto">${message}</p>
    <p class="quiet">
      <a href="/errors#${code}"><code>${code}</code></a
      >${stage !== null && ` in ${stage}`} ·
      ${retryable ? "another try may help" : "another try would end the same way"}
    </p>
  </section>`;
}

/** What a job did without a result: under way, or failed, which may have cost something, too. */
function toProgress({ stages, cost }: RequestView): Html | null {
  if (stages.length === 0) return null;
  return html`<section>
    <h2>Stages</h2>
    <table>
      <tr>
        <th>Stage</th>
        <th>State</th>
        <th class="number">Attempts</th>
        ${cost !== null && html`<th class="number">Cost</th>`}
      </tr>
      ${stages.map(
        ({ name, state, attempts }) =>
          html`<tr>
            <td>${name}</td>
            <td>${state}</td>
            <td class="number">${attempts}</td>
            ${cost !== null && html`<td class="number">${toDollars(cost.by_stage[name] ?? 0)}</td>`}
          </tr>`,
      )}
      ${
        cost !== null &&
        html`<tr class="total">
          <td colspan="3">Total</td>
          <td class="number">${toDollars(cost.usd)}</td>
        </tr>`
      }
    </table>
  </section>`;
}
