import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import S3rver from "@20minutes/s3rver";

export interface S3Server {
  endpoint: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Objects and parts of unfinished uploads, as they lie on its disk. */
  listAll(): Promise<string[]>;
  /** Overwrites the bytes of an object behind the store's back. */
  overwrite(name: string, content: string): Promise<void>;
  close(): Promise<void>;
}

const BUCKET = "clipmill";

/**
 * A bucket on loopback. It checks signatures (V4, with the body unsigned, as we send it) and knows multipart uploads.
 * It does not check the signatures of listings, whose path it rebuilds without the slash that was signed, nor
 * `x-amz-checksum-sha256`; it keeps the parts of an upload that was given up; it knows no TLS, no regions, no slow or
 * failing disks. What is proven here is our side of the protocol, not the guarantees of a real store.
 */
export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), "clipmill-s3-"));
  const server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory,
    vhostBuckets: false,
    configureBuckets: [{ name: BUCKET }],
  });
  const { port } = await server.run();
  server.httpServer.prependListener("request", ({ url = "" }) => {
    server.allowMismatchedSignatures = url.startsWith(`/${BUCKET}/?`);
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: BUCKET,
    accessKeyId: "S3RVER",
    secretAccessKey: "S3RVER",
    async listAll() {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && !/_S3rver_(metadata|object\.md5)/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort();
    },
    overwrite: (name, content) =>
      writeFile(join(directory, BUCKET, `${name}._S3rver_object`), content),
    async close() {
      server.httpServer.closeAllConnections();
      await server.close();
      await rm(directory, { recursive: true });
    },
  };
}
