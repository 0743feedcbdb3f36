/** Another program on the same cores: it is busy all the time, and ends with the harness. */
const SLICE_MS = 50;

process.on("disconnect", () => process.exit(0));

function work(): void {
  for (const until = Date.now() + SLICE_MS; Date.now() < until;);
  // In between it can hear that the harness is gone.
  setImmediate(work);
}

work();
