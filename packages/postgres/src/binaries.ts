import { existsSync, readFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  /** The package's version, such as `18.4.0-beta.17`. */
  version: string;
}

/** The Postgres that npm installed for this platform, or null where there is none: then DATABASE_URL is needed. */
export function findPostgresBinaries(): PostgresBinaries | null {
  const root = findPackage();
  if (root === null) return null;
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    version: string;
  };
  return {
    initdb: join(root, "native/bin/initdb"),
    postgres: join(root, "native/bin/postgres"),
    version,
  };
}

/** As `findPostgresBinaries`, ready to run. Throws EmbeddedPostgresError. */
export async function preparePostgresBinaries(): Promise<PostgresBinaries> {
  const binaries = findPostgresBinaries();
  if (binaries === null) {
    throw new EmbeddedPostgresError(
      `there is no embedded Postgres for ${process.platform}-${process.arch}: set DATABASE_URL`,
    );
  }
  await createLibraryLinks(dirname(dirname(dirname(binaries.postgres))));
  return binaries;
}

function findPackage(): string | null {
  const require = createRequire(import.meta.url);
  try {
    const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return dirname(dirname(entry));
  } catch {
    return null;
  }
}

/**
 * npm packages cannot hold symlinks, so the package's install script makes those of its libraries. Install
 * scripts are off here; without the links initdb ends with "cannot open shared object file".
 */
async function createLibraryLinks(root: string): Promise<void> {
  const list = join(root, "native/pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    if (existsSync(join(root, target))) continue;
    try {
      await symlink(basename(source), join(root, target));
    } catch (error) {
      // EEXIST: another start made it a moment ago.
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw new EmbeddedPostgresError(
        `cannot create ${join(root, target)}: start once as the user who ran npm ci`,
        { cause: error },
      );
    }
  }
}
