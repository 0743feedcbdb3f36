import { ERROR_CODES, type ErrorCodeEntry } from "@clipmill/domain";
import { html } from "./html.ts";
import { renderPage } from "./layout.ts";

const WHAT_FOLLOWS: Record<ErrorCodeEntry["disposition"], string> = {
  retryable: "is tried again, then fails",
  unrecoverable: "fails at once",
  skip: "goes on without that part, or ends skipped",
};

/** The registry of error codes: where the `type` of a problem document points. */
export function renderErrorsPage(): string {
  const codes = Object.entries<ErrorCodeEntry>(ERROR_CODES);
  return renderPage({
    title: "Error codes · clipmill",
    body: html`<h1>Error codes</h1>
      <p class="lead">
        Errors are <code>application/problem+json</code> (RFC 9457). Match on <code>code</code>;
        <code>retryable</code> says whether the same request can succeed later.
      </p>
      <div class="scroll">
        <table>
          <tr>
            <th>Code</th>
            <th class="number">HTTP</th>
            <th>Meaning</th>
            <th>The job</th>
          </tr>
          ${codes.map(
            ([code, { status, title, disposition }]) =>
              html`<tr id="${code}">
                <td><code>${code}</code></td>
                <td class="number">${status}</td>
                <td>${title}</td>
                <td class="quiet">${WHAT_FOLLOWS[disposition]}</td>
              </tr>`,
          )}
        </table>
      </div>`,
    wide: true,
  });
}
