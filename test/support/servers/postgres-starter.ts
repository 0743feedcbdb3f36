// Starts the embedded Postgres on the directory it is given, tells its pid, and waits to be killed.
import { startEmbeddedPostgres } from "@clipmill/postgres";

const log = { info: () => {} };
const [directory = ""] = process.argv.slice(2);
const { pid, url } = await startEmbeddedPostgres({ directory, durable: false, log });
process.send?.({ pid, url });
process.on("disconnect", () => process.exit());
