import { fastify } from "fastify";
import pg from "pg";

// The limit to compare with: one row by its key, as it lies there, and nothing around it.
const { databaseUrl, poolSize } = JSON.parse(process.argv[2] ?? "{}") as {
  databaseUrl: string;
  poolSize: number;
};
const pool = new pg.Pool({ connectionString: databaseUrl, max: poolSize });
const app = fastify();
app.get<{ Params: { id: string } }>("/posts/:id", async ({ params }) => {
  const { rows } = await pool.query<{ body: unknown }>({
    name: "read",
    text: "select body from stored_result where id = $1",
    values: [params.id],
  });
  return rows[0]?.body;
});
const url = await app.listen({ host: "127.0.0.1", port: 0 });
process.once("message", () => process.send?.({ type: "url", url }));
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => {
  void (async () => {
    await app.close();
    await pool.end();
    process.exit(0);
  })();
});
process.send?.({ type: "ready" });
