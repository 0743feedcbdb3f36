import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Storage, type StorageKey, UnrecoverableError } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

export interface StorageUnderTest {
  storage: Storage;
  /** Everything that lies in the store, finished or not, by any name. */
  listAll(): Promise<string[]>;
  /** Replaces the content behind the store's back. */
  overwrite(key: StorageKey, content: string): Promise<void>;
  close(): Promise<void>;
}

const LIMITS = { maxBytes: 1_000_000, signal: new AbortController().signal };

async function* toContent(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

/** What every Storage keeps to. */
export function describeStorage(name: string, open: () => Promise<StorageUnderTest>): void {
  describe(`${name} as a Storage`, () => {
    let subject: StorageUnderTest;
    let storage: Storage;
    beforeEach(async () => {
      subject = await open();
      storage = subject.storage;
    });
    afterEach(() => subject.close());

    const read = async (key: StorageKey) => {
      await using file = await storage.openLocal(key, LIMITS);
      return await readFile(file.path);
    };

    test("a file is stored under the hash of its content", async () => {
      const stored = await storage.write("media", toContent("clip", "mill"), LIMITS);
      const sha256 = createHash("sha256").update("clipmill").digest("hex");
      expect(stored).toEqual({ key: `media/${sha256}`, sha256, bytes: 8 });
      expect(await storage.has(stored.key)).toBe(true);
      expect((await read(stored.key)).toString()).toBe("clipmill");
    });

    test("an empty file and one of many chunks are stored whole", async () => {
      const empty = await storage.write("audio", toContent(), LIMITS);
      expect(empty.bytes).toBe(0);
      expect(await read(empty.key)).toHaveLength(0);
      const block = Buffer.alloc(100_000, 7);
      const big = await storage.write("audio", toContent(...Array(9).fill(block)), LIMITS);
      expect(await read(big.key)).toEqual(Buffer.concat(Array(9).fill(block)));
    });

    test("the same content twice is one file, and the kinds are apart", async () => {
      const first = await storage.write("media", toContent("same"), LIMITS);
      const before = await subject.listAll();
      expect(await storage.write("media", toContent("same"), LIMITS)).toEqual(first);
      expect(await subject.listAll()).toEqual(before);
      expect(await storage.has(`audio/${first.sha256}`)).toBe(false);
    });

    test("fifty writers of one content at once agree", async () => {
      const writes = Array.from({ length: 50 }, () =>
        storage.write("media", toContent("to", "gether"), LIMITS),
      );
      const keys = new Set((await Promise.all(writes)).map((stored) => stored.key));
      expect(keys.size).toBe(1);
      for (const key of keys) expect((await read(key)).toString()).toBe("together");
      expect(await subject.listAll()).toHaveLength(1);
    });

    test("content at the limit is stored, one byte more is too_large and leaves nothing", async () => {
      await storage.write("media", toContent("12345"), { ...LIMITS, maxBytes: 5 });
      const before = await subject.listAll();
      const over = storage.write("media", toContent("123", "456"), { ...LIMITS, maxBytes: 5 });
      await expect(over).rejects.toMatchObject({ code: "too_large" });
      expect(await subject.listAll()).toEqual(before);
    });

    test("an error of the content passes unchanged and leaves nothing", async () => {
      const broken = new Error("the source broke");
      async function* content() {
        yield Buffer.from("half");
        throw broken;
      }
      await expect(storage.write("media", content(), LIMITS)).rejects.toBe(broken);
      expect(await subject.listAll()).toEqual([]);
    });

    test("an abort in the middle stops the write with its reason and leaves nothing", async () => {
      const controller = new AbortController();
      const reason = new Error("shutdown");
      async function* content() {
        yield Buffer.from("half");
        controller.abort(reason);
        yield Buffer.from("other half");
      }
      const options = { ...LIMITS, signal: controller.signal };
      await expect(storage.write("media", content(), options)).rejects.toBe(reason);
      expect(await subject.listAll()).toEqual([]);
    });

    test("a deleted file is gone, and deleting it again is no error", async () => {
      const { key } = await storage.write("media", toContent("short-lived"), LIMITS);
      await storage.delete(key);
      await storage.delete(key);
      expect(await storage.has(key)).toBe(false);
      await expect(storage.openLocal(key, LIMITS)).rejects.toMatchObject({
        code: "storage_failed",
        details: { key, found: "missing" },
      });
      expect(await storage.verify(key, LIMITS)).toBe("missing");
    });

    test("a file that was written since is left, and one from before is deleted", async () => {
      const { key } = await storage.write("media", toContent("written again"), LIMITS);
      await storage.delete(key, { writtenBefore: new Date(Date.now() - 3_600_000) });
      expect(await storage.has(key)).toBe(true);
      await storage.delete(key, { writtenBefore: new Date(Date.now() + 3_600_000) });
      expect(await storage.has(key)).toBe(false);
      await storage.delete(key, { writtenBefore: new Date() });
    });

    test("a file whose bytes have changed is found, and writing it anew repairs it", async () => {
      const { key } = await storage.write("media", toContent("sound"), LIMITS);
      expect(await storage.verify(key, LIMITS)).toBe("whole");
      await using _whole = await storage.openLocal(key, { ...LIMITS, verify: true });
      await subject.overwrite(key, "soun?");
      expect(await storage.verify(key, LIMITS)).toBe("damaged");
      await expect(storage.openLocal(key, { ...LIMITS, verify: true })).rejects.toMatchObject({
        code: "storage_failed",
        details: { key, found: "damaged" },
      });
      await storage.write("media", toContent("sound"), LIMITS);
      expect(await storage.verify(key, LIMITS)).toBe("whole");
      expect((await read(key)).toString()).toBe("sound");
    });

    test("all files of a kind are listed, with the time of the last write", async () => {
      const written = ["one", "two", "three"].map((text) =>
        storage.write("media", toContent(text), LIMITS),
      );
      const keys = (await Promise.all(written)).map(({ key }) => key);
      await storage.write("audio", toContent("sound"), LIMITS);
      const listed = [];
      for await (const file of storage.list("media")) listed.push(file);
      expect(listed.map(({ key }) => key).sort()).toEqual(keys.sort());
      for (const { writtenAt } of listed) {
        expect(Math.abs(Date.now() - writtenAt.getTime())).toBeLessThan(60_000);
      }
    });

    test("what was opened is gone from scratch once it is disposed of", async () => {
      const { key } = await storage.write("media", toContent("twice"), LIMITS);
      const before = await subject.listAll();
      {
        await using one = await storage.openLocal(key, LIMITS);
        await using other = await storage.openLocal(key, LIMITS);
        expect((await readFile(one.path)).equals(await readFile(other.path))).toBe(true);
      }
      expect(await subject.listAll()).toEqual(before);
    });

    test.each(["media/../../etc/passwd", "media/abc", `other/${"a".repeat(64)}`, "", "media/"])(
      "a key of the wrong form is refused: %j",
      async (key) => {
        const open = async () => await storage.openLocal(key as StorageKey, LIMITS);
        await expect(open()).rejects.toBeInstanceOf(UnrecoverableError);
      },
    );

    test("scratch directories are apart and gone after use", async () => {
      let path: string;
      {
        await using one = await storage.createScratch();
        await using other = await storage.createScratch();
        expect(one.path).not.toBe(other.path);
        path = one.path;
        await mkdir(join(path, "deep"));
        await writeFile(join(path, "deep", "file"), "x");
      }
      await expect(readFile(join(path, "deep", "file"))).rejects.toMatchObject({ code: "ENOENT" });
      expect(await subject.listAll()).toEqual([]);
    });
  });
}
