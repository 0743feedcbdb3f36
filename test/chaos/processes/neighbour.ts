/** Another program on the same cores: it is busy all the time, and ends with the harness. */
const SLICE_MS = 50;

function work(): void {
  if (!process.connected) process.exit(0);
  for (const until = Date.now() + SLICE_MS; Date.now() < until;);
  // In between it hears that the harness is gone.
  setImmediate(work);
}

work();
