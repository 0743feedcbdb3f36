// Keeps the table of counts fresh. Plain script: served as it is, so the page's CSP needs no 'unsafe-inline'.
const REFRESH_MS = 3_000;
const table = document.querySelector("#counts");
const freshness = document.querySelector("#freshness");

async function refresh() {
  // A tab that nobody looks at asks the database nothing.
  if (document.hidden) return;
  const response = await fetch(table.dataset.source, { signal: AbortSignal.timeout(REFRESH_MS) });
  if (response.status === 401) {
    location.reload();
    return;
  }
  if (!response.ok) throw new Error(`status ${response.status}`);
  for (const { queue, ...counts } of await response.json()) {
    const row = table.querySelector(`tr[data-queue="${CSS.escape(queue)}"]`);
    for (const cell of row?.querySelectorAll("td[data-count]") ?? []) {
      cell.textContent = Number(counts[cell.dataset.count]).toLocaleString("en");
    }
  }
  table.classList.remove("stale");
  freshness.textContent = `Fresh at ${new Date().toLocaleTimeString()}.`;
}

function markStale() {
  table.classList.add("stale");
  freshness.textContent = "Not refreshed: the server does not answer.";
}

async function loop() {
  await refresh().catch(markStale);
  setTimeout(loop, REFRESH_MS);
}

void loop();
