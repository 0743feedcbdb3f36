import type { RequestState } from "@clipmill/domain";
import { html, type Html } from "./html.ts";
import { renderPage } from "./layout.ts";
import { toStatusPill } from "./parts.ts";

/** A job as the home page lists it. */
export interface RecentJob {
  id: string;
  status: RequestState;
  postId: string | null;
  title?: string;
  /** Whether any part of the result is recorded or simulated. */
  simulated: boolean;
}

export interface HomeFacts {
  version: string;
  /** Where this API is reached, such as `http://127.0.0.1:4600`. It goes into a shell command: see `renderHomePage`. */
  origin: string;
  /** Latest first; null where the list is not offered. */
  recent: readonly RecentJob[] | null;
}

/** Stands in the curl where no job is known yet. */
const EXAMPLE_LINK = "https://www.tiktok.com/@creator/video/7000000000000000001";

/** What this is, where to go, and one command to paste. `origin` must hold no quote: it stands in a shell command. */
export function renderHomePage({ version, origin, recent }: HomeFacts): string {
  const known = recent?.find((job) => job.status === "done" && /^\d+$/.test(job.postId ?? ""));
  return renderPage({
    title: "clipmill",
    body: html`<h1>TikTok posts in, data out</h1>
      <p class="lead">
        Give clipmill a link. It fetches the post, recognises the speech, reads the text on screen
        and answers with one JSON object: transcript, summary, attribution, cost.
      </p>
      <pre
        class="command"
        tabindex="0"
      ><code>${toCurl(origin, known?.postId ?? EXAMPLE_LINK)}</code></pre>
      <ul class="cards">
        <li>
          <a href="/docs/"><b>API reference</b><span>Every route, with a try-out form</span></a>
        </li>
        <li>
          <a href="/queues"><b>Queues</b><span>What waits, runs and failed</span></a>
        </li>
        <li>
          <a href="/openapi.json"><b>OpenAPI</b><span>The description for machines</span></a>
        </li>
      </ul>
      ${recent !== null && toRecentList(recent)}
      <footer>clipmill ${version}</footer>`,
  });
}

function toCurl(origin: string, link: string): string {
  return [
    `curl -s ${origin}/v1/jobs \\`,
    `  -H 'content-type: application/json' \\`,
    `  -H 'prefer: wait=30' \\`,
    `  -d '{"url":"${link}"}'`,
  ].join("\n");
}

function toRecentList(recent: readonly RecentJob[]): Html {
  if (recent.length === 0)
    return html`<h2>Latest jobs</h2>
      <p class="quiet">None yet.</p>`;
  return html`<h2>Latest jobs</h2>
    <ul class="jobs">
      ${recent.map(
        (job) =>
          html`<li>
            <a href="/jobs/${job.id}">
              ${toStatusPill(job.status)}
              <span class="job-title" dir="auto">${toTitle(job)}</span>
              ${job.simulated && html`<span class="tag">simulated</span>`}
            </a>
          </li>`,
      )}
    </ul>`;
}

function toTitle({ title, postId, id }: RecentJob): string {
  return title === undefined || title.trim() === "" ? (postId ?? id) : title;
}
