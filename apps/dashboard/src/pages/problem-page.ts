import { html } from "./html.ts";
import { renderPage } from "./layout.ts";

export interface ProblemFacts {
  status: number;
  title: string;
  detail: string;
  code: string;
  requestId: string;
}

/** A problem document for people who came with a browser. */
export function renderProblemPage({
  status,
  title,
  detail,
  code,
  requestId,
}: ProblemFacts): string {
  return renderPage({
    title: `${status} · clipmill`,
    body: html`<h1>${status}</h1>
      <p class="lead">${title}</p>
      <p>${detail}</p>
      <p class="quiet">
        <a href="/errors#${code}"><code>${code}</code></a> · request <code>${requestId}</code>
      </p>`,
  });
}
