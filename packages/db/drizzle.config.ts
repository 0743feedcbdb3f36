import { defineConfig } from "drizzle-kit";

/** Paths are relative to the repository root, where `npm run db:generate` runs. */
export default defineConfig({
  dialect: "postgresql",
  schema: [
    "./packages/db/src/schema/work.ts",
    "./packages/db/src/schema/artifacts.ts",
    "./packages/db/src/schema/costs.ts",
    "./packages/db/src/schema/post.ts",
    "./packages/db/src/schema/backfill.ts",
    "./packages/db/src/schema/credits.ts",
    "./packages/db/src/schema/upstream.ts",
  ],
  out: "./migrations",
});
