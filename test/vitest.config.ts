import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { SkipReporter } from "./support/servers/reporter.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

export default defineConfig({
  root,
  test: {
    // Two cores are the smallest machine that counts, and Postgres, ffmpeg and the recogniser want some of them.
    maxWorkers: 2,
    reporters: ["default", new SkipReporter()],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["packages/**/*.test.ts", "apps/**/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/**/*.test.ts"],
          exclude: ["test/chaos/**", "test/bench/**"],
          globalSetup: ["test/support/servers/global-setup.ts"],
        },
      },
    ],
  },
});
