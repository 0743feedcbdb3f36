import { execFile } from "node:child_process";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { ROOT } from "../../../apps/cli/src/paths.ts";
import {
  createEmptyDatabase,
  createTestDatabase,
  type TestDatabase,
} from "../../support/servers/database.ts";

const run = promisify(execFile);
const TEST = { timeout: 60_000 };

/** The npm packages of which a program that runs `code` loads anything. */
async function packagesLoadedBy(code: string): Promise<ReadonlySet<string>> {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = new Set();
    registerHooks({ load(url, context, next) {
      const name = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
      if (name !== undefined) loaded.add(name);
      return next(url, context);
    } });
    ${code}
    console.log(JSON.stringify([...loaded]));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], {
    cwd: ROOT,
  });
  return new Set(JSON.parse(stdout) as string[]);
}

const toImport = (path: string) => `await import(${JSON.stringify(pathToFileURL(path).href)});`;

describe("a start loads nothing heavy that it does not use", TEST, () => {
  test("`clipmill up`: no SDK of a model, no queue and no migrations before Postgres starts", async () => {
    const loaded = await packagesLoadedBy(toImport(`${ROOT}/apps/cli/src/up/stack.ts`));
    expect(loaded).toContain("zod");
    for (const heavy of ["@anthropic-ai/sdk", "bullmq", "ioredis", "drizzle-orm"])
      expect(loaded).not.toContain(heavy);
  });

  test("the API: no SDK of a model, and not the page of its documentation", async () => {
    const loaded = await packagesLoadedBy(toImport(`${ROOT}/apps/api/src/serve.ts`));
    expect(loaded).toContain("fastify");
    for (const heavy of ["@anthropic-ai/sdk", "@scalar/fastify-api-reference"])
      expect(loaded).not.toContain(heavy);
  });

  test("the SDK is loaded with the engine that is made of it", async () => {
    const loaded = await packagesLoadedBy(
      toImport(`${ROOT}/packages/providers/src/llm/claude/create-claude.ts`),
    );
    expect(loaded).toContain("@anthropic-ai/sdk");
  });
});

describe("migrating", TEST, () => {
  const made: TestDatabase[] = [];

  afterEach(async () => {
    for (const database of made.splice(0)) await database.drop();
  });

  async function isMigratorLoaded(database: TestDatabase): Promise<boolean> {
    made.push(database);
    const loaded = await packagesLoadedBy(`
      const { migrateDatabase } = ${toImport(`${ROOT}/packages/db/src/index.ts`)}
      await migrateDatabase({ url: ${JSON.stringify(database.url)} });`);
    return loaded.has("drizzle-orm");
  }

  test("loads the migrator only where something is to be applied", async () => {
    expect(await isMigratorLoaded(await createTestDatabase())).toBe(false);
    expect(await isMigratorLoaded(await createEmptyDatabase())).toBe(true);
  });
});
