#!/usr/bin/env node
// Old syntax on purpose: whatever Node starts this file must be able to parse it and say what is wrong.
if (Number(process.versions.node.split(".")[0]) < 20) {
  console.error(
    "clipmill: Node 20 or newer is needed (clipmill brings its own Node 24), and this is Node " +
      process.versions.node +
      ". Get one from https://nodejs.org and start again.",
  );
  process.exit(2);
}

void import("./bootstrap/start.mjs").then(function (bootstrap) {
  return bootstrap.start(process.argv.slice(2));
});
