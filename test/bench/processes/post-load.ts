import autocannon from "autocannon";
import { percentile } from "../support/stats.ts";

// A process of its own, so that the load does not run on the event loop of whoever is measured. Each connection goes
// through all posts from a place of its own: no two want the same post at once, so no server gains by answering twice
// what it read once.
const { url, postIds, connections, seconds } = JSON.parse(process.argv[2] ?? "{}") as {
  url: string;
  postIds: string[];
  connections: number;
  seconds: number;
};
const { pathname } = new URL(url);
const paths = postIds.map((id) => ({ path: `${pathname}/${id}` }));
let clients = 0;
// Its own histogram knows whole milliseconds, of which these answers take two.
const latencies: number[] = [];
const running = autocannon({
  url,
  connections,
  duration: seconds,
  setupClient(client) {
    const from = Math.floor((clients++ * paths.length) / connections) % paths.length;
    client.setRequests([...paths.slice(from), ...paths.slice(0, from)]);
  },
});
running.on("response", (_client, _status, _bytes, ms) => void latencies.push(ms));
const result = await running;
const failed = result.non2xx + result.errors;
process.stdout.write(
  JSON.stringify({ rate: result.requests.average, p99: percentile(latencies, 0.99), failed }),
);
