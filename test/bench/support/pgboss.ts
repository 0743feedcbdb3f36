import { PgBoss } from "pg-boss";

export const NAMES = ["first", "second", "third"] as const;

/** pg-boss on an empty database, with so many jobs in the first of three queues. */
export async function startBoss(databaseUrl: string, count: number): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    schedule: false,
    supervise: false,
    max: 30,
  });
  boss.on("error", (error) => process.stderr.write(`${error.message}\n`));
  await boss.start();
  for (const name of NAMES) await boss.createQueue(name);
  for (let from = 0; from < count; from += 1_000) {
    await boss.insert(
      NAMES[0],
      Array.from({ length: Math.min(1_000, count - from) }, (_, i) => ({ data: { id: from + i } })),
    );
  }
  process.once("SIGTERM", () => void boss.stop({ graceful: false }).then(() => process.exit(0)));
  return boss;
}
