import { spawnSync } from "node:child_process";
import { chown, mkdir, stat } from "node:fs/promises";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";

/** As whom Postgres runs: it refuses to run as root. */
export interface Account {
  /** Programs that stand before the real one: each does its part and becomes the next by exec. */
  prefix: readonly string[];
  /** The user to change to before that; absent: nobody else. */
  uid?: number;
  gid?: number;
}

/** A user namespace in which root is nobody: no user is created, and files stay root's. */
const AS_NOBODY = ["unshare", "--user", "--map-user=65534", "--map-group=65534"];
/** Linux ends the postmaster (fast shutdown) when its parent dies, even by kill -9. */
const DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "INT"];

/**
 * Creates `directory` (0700) if need be and settles who runs Postgres on it: its owner, always, so that root
 * can start what a user made. Throws EmbeddedPostgresError where the directory is another user's.
 */
export async function prepareDirectory(directory: string): Promise<Account> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const owner = await stat(directory);
  const self = process.getuid?.();
  if (self !== 0) {
    if (self !== undefined && owner.uid !== self) throw foreignDirectory(directory, owner.uid);
    return { prefix: works(DIE_WITH_PARENT) ? DIE_WITH_PARENT : [] };
  }
  if (owner.uid !== 0) return { prefix: dieWithParent(), uid: owner.uid, gid: owner.gid };
  if (works(AS_NOBODY)) return { prefix: [...AS_NOBODY, ...dieWithParent()] };
  return handOver(directory);
}

function dieWithParent(): readonly string[] {
  return works(DIE_WITH_PARENT) ? DIE_WITH_PARENT : [];
}

function works([program, ...args]: readonly string[]): boolean {
  return program !== undefined && spawnSync(program, [...args, "true"]).status === 0;
}

/** Where namespaces are forbidden (Docker's default seccomp profile), root gives the directory to an ordinary user. */
async function handOver(directory: string): Promise<Account> {
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = ["-u", "-g"].map((flag) => {
      const id = spawnSync("id", [flag, name], { encoding: "utf8" });
      return id.status === 0 ? Number(id.stdout) : Number.NaN;
    });
    if (uid === undefined || gid === undefined || Number.isNaN(uid + gid)) continue;
    await chown(directory, uid, gid);
    return { prefix: dieWithParent(), uid, gid };
  }
  throw new EmbeddedPostgresError(
    "Postgres refuses to run as root, and there is no user to run it as: start clipmill as an ordinary user, or set DATABASE_URL",
  );
}

function foreignDirectory(directory: string, owner: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `${directory} belongs to user ${owner}: start clipmill as that user, or set CLIPMILL_HOME to another directory`,
  );
}
