import { html } from "./html.ts";
import { renderPage } from "./layout.ts";

export interface LoginFacts {
  /** Where the form goes. */
  action: string;
  problem: string | null;
}

export function renderLoginPage({ action, problem }: LoginFacts): string {
  return renderPage({
    title: "Sign in · clipmill",
    body: html`<form class="login" method="post" action="${action}">
      <h1>Queues</h1>
      <label for="password">Password</label>
      <input
        id="password"
        name="password"
        type="password"
        autocomplete="current-password"
        required
        autofocus
      />
      ${problem !== null && html`<p class="problem" role="alert">${problem}</p>`}
      <button type="submit">Sign in</button>
      <p class="quiet">
        It was printed at start-up, and lies in the data directory unless
        <code>DASHBOARD_PASSWORD</code> sets it.
      </p>
    </form>`,
  });
}
