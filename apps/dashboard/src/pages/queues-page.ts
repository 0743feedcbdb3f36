import type { QueueCounts, WaitingGroup } from "@clipmill/db";
import { ERROR_CODES } from "@clipmill/domain";
import { html, type Html } from "./html.ts";
import { renderPage } from "./layout.ts";
import { toMoment } from "./parts.ts";

export interface QueuesFacts {
  prefix: string;
  counts: readonly QueueCounts[];
  /** What keeps work from going on; empty where nothing does. */
  waiting: readonly WaitingGroup[];
  readOnly: boolean;
}

const COLUMNS = [
  ["ready", "Ready"],
  ["queued", "Queued"],
  ["running", "Running"],
  ["waiting", "Waiting outside"],
  ["retrying", "Retrying later"],
  ["dead", "Dead"],
] as const satisfies readonly (readonly [keyof QueueCounts, string])[];

/** The rows in Postgres above, BullMQ's window of them below. `counts.js` keeps the table fresh by the cells' data attributes. */
export function renderQueuesPage({ prefix, counts, waiting, readOnly }: QueuesFacts): string {
  return renderPage({
    title: "Queues · clipmill",
    wide: true,
    aside: html`<form method="post" action="${prefix}/logout">
      <button class="plain">Sign out</button>
    </form>`,
    body: html`<div class="headline">
        <h1>Queues</h1>
        ${readOnly && html`<span class="tag">read-only</span>`}
      </div>
      ${waiting.map(toWaiting)}
      <p class="quiet">
        All work items, as Postgres records them. <span id="freshness" role="status"></span>
      </p>
      <div class="scroll">
        <table id="counts" data-source="${prefix}/counts.json">
          <tr>
            <th>Queue</th>
            ${COLUMNS.map(([, title]) => html`<th class="number">${title}</th>`)}
          </tr>
          ${counts.map(
            (row) =>
              html`<tr data-queue="${row.queue}">
                <td><b>${row.queue}</b></td>
                ${COLUMNS.map(([name]) => html`<td class="number" data-count="${name}">${row[name]}</td>`)}
              </tr>`,
          )}
        </table>
      </div>
      <p class="quiet">
        Below: what BullMQ holds of them, a few that are next in each queue, and the last 1,000 that
        finished or failed.
        <a href="${prefix}/board">Open it alone</a>
      </p>
      <iframe class="board" src="${prefix}/board" title="Bull Board"></iframe>
      <script src="${prefix}/counts.js" defer></script>`,
  });
}

function toWaiting({ queue, reason, message, advice, count, since }: WaitingGroup): Html {
  return html`<section class="waiting">
    <h2>${ERROR_CODES[reason].title}</h2>
    <p dir="auto">${message}</p>
    <p>${advice}</p>
    <p class="quiet">
      <a href="/errors#${reason}"><code>${reason}</code></a> in ${queue} ·
      ${count.toLocaleString("en")}
      ${count === 1 ? "work item waits" : "work items wait"}${
        since !== null && html` · since <time datetime="${since}">${toMoment(since)}</time>`
      }
    </p>
  </section>`;
}
