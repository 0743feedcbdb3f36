import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  Engagement,
  type FetchedPost,
  Post,
  PostId,
  RetryableError,
  Sha256,
  UnrecoverableError,
} from "@clipmill/domain";
import { z } from "zod";

/** Remembers what a user's files brought along, so that the file source finds it when the job runs. */
export interface ImportStore {
  /** The latest import of a post wins. Throws RetryableError `storage_failed`. */
  save(fetched: FetchedPost): Promise<void>;
  /** Null for a post that was never imported. Throws RetryableError `storage_failed`. */
  find(postId: PostId): Promise<FetchedPost | null>;
}

const StoredImport = z.object({
  post: Post,
  engagement: Engagement,
  media: z.object({ kind: z.literal("stored"), sha256: Sha256 }),
});

/** One JSON file a post, at `<directory>/imports/<postId>.json`. */
export function createImportStore({ directory }: { directory: string }): ImportStore {
  const imports = join(directory, "imports");
  const toPath = (postId: PostId) => {
    // An id is a file name here, so its form is what keeps it in its directory.
    if (!PostId.safeParse(postId).success) {
      throw new UnrecoverableError("invalid_input", "a post id is malformed");
    }
    return join(imports, `${postId}.json`);
  };

  return {
    async save(fetched) {
      const path = toPath(fetched.post.postId);
      await guardDisk(async () => {
        await mkdir(imports, { recursive: true, mode: 0o700 });
        await writeWhole(path, JSON.stringify(fetched));
      });
    },
    async find(postId) {
      const path = toPath(postId);
      return await guardDisk(async () => {
        const text = await readFile(path, "utf8").catch(toNullIfMissing);
        return text === null ? null : { ...StoredImport.parse(JSON.parse(text)), captions: [] };
      });
    },
  };
}

/** Readers see the old file or the new one, also after a power cut. */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

function toNullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}

async function guardDisk<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw new RetryableError("storage_failed", "an import could not be read or written", { cause });
  }
}
