import { STYLESHEET_PATH } from "../assets.ts";
import { html, type Html, type HtmlValue, render } from "./html.ts";

export interface PageParts {
  title: string;
  body: Html;
  /** Reloads the page after so many seconds; for pages about work in progress. Default: never. */
  refreshSeconds?: number;
  /** Wider than a column of text. Default: false. */
  wide?: boolean;
  /** Goes to the right end of the bar on top, such as a logout button. */
  aside?: HtmlValue;
}

/** A whole document. It runs no inline script and has no inline style, so a strict CSP fits it. */
export function renderPage({
  title,
  body,
  refreshSeconds,
  wide = false,
  aside,
}: PageParts): string {
  return render(
    html`<html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        ${refreshSeconds !== undefined && html`<meta http-equiv="refresh" content="${refreshSeconds}" />`}
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${STYLESHEET_PATH}" />
      </head>
      <body>
        <header class="bar">
          <a class="brand" href="/">clipmill</a>
          <nav>
            <a href="/docs/">API</a><a href="/queues">Queues</a><a href="/errors">Errors</a>
          </nav>
          ${aside}
        </header>
        <main class="${wide ? "wide" : "column"}">${body}</main>
      </body>
    </html>`,
  );
}
