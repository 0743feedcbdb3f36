import { ClipmillError, RetryableError, type Sha256 } from "@clipmill/domain";
import { S3mini, S3ServiceError, type UploadPart } from "s3mini";

export interface S3Options {
  /** Base URL of the store; the bucket is a folder of it (path style). */
  endpoint: string;
  bucket: string;
  /** Default `auto`, which R2 and most others take; AWS wants its own. */
  region?: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** The calls that we make, each of them once: the queue is the one retrier. Throw RetryableError `storage_failed`. */
export interface S3Client {
  put(name: string, body: Buffer, options: { sha256: Sha256; signal: AbortSignal }): Promise<void>;
  /** Uploads parts one after another; the object appears with the last, and nothing is left when one fails. */
  putParts(
    name: string,
    parts: AsyncIterable<Buffer>,
    options: { signal: AbortSignal },
  ): Promise<void>;
  /** Null where there is none. */
  get(name: string, options: { signal: AbortSignal }): Promise<AsyncIterable<Uint8Array> | null>;
  has(name: string): Promise<boolean>;
  delete(name: string): Promise<void>;
  /** Null if there is no such object. */
  findWrittenAt(name: string): Promise<Date | null>;
  toUrl(name: string, expiresInSeconds: number): Promise<string>;
  /** A page of what is in a folder, and what to ask for the next one by. */
  list(folder: string, next: string | undefined): Promise<ListedPage>;
}

export interface ListedPage {
  objects: readonly { name: string; writtenAt: Date }[];
  next: string | undefined;
}

/** For calls without a body, whose caller waits for nothing else. */
const SHORT_CALL_MS = 30_000;

export function createS3Client(options: S3Options): S3Client {
  const call = async <T>(signal: AbortSignal, use: (s3: S3mini) => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await use(createS3Mini(options, signal));
    } catch (cause) {
      throw signal.aborted ? signal.reason : toStorageError(cause);
    }
  };
  const short = async <T>(use: (s3: S3mini) => Promise<T>): Promise<T> => {
    try {
      return await use(createS3Mini(options, AbortSignal.timeout(SHORT_CALL_MS)));
    } catch (cause) {
      throw toStorageError(cause);
    }
  };

  return {
    put: (name, body, { sha256, signal }) =>
      call(signal, async (s3) => {
        // Stores that know the header refuse a body that does not hash to it.
        const checksum = Buffer.from(sha256, "hex").toString("base64");
        const type = "application/octet-stream";
        const headers = { "x-amz-checksum-sha256": checksum } as const;
        await s3.putObject(name, body, type, undefined, headers, body.byteLength);
      }),

    putParts: (name, parts, { signal }) => call(signal, (s3) => putParts(s3, options, name, parts)),

    async get(name, { signal }) {
      const response = await call(signal, (s3) => s3.getObjectResponse(name));
      return response === null ? null : readBody(response, signal);
    },

    has: (name) => short(async (s3) => (await s3.objectExists(name)) === true),

    async delete(name) {
      // False where there was none.
      await short((s3) => s3.deleteObject(name));
    },

    async findWrittenAt(name) {
      const page = await short((s3) => s3.listObjectsPaged("/", name, 1));
      const found = page?.objects?.find(({ Key }) => Key === name);
      return found === undefined ? null : new Date(found.LastModified);
    },

    async list(folder, next) {
      const page = await short((s3) => s3.listObjectsPaged("/", `${folder}/`, 1_000, next));
      const objects = page?.objects ?? [];
      return {
        objects: objects.map(({ Key, LastModified }) => ({
          name: Key,
          writtenAt: new Date(LastModified),
        })),
        next: page?.nextContinuationToken,
      };
    },

    toUrl: (name, expiresInSeconds) =>
      short((s3) => s3.getPresignedUrl("GET", name, expiresInSeconds)),
  };
}

/** One for each call, because the library takes no signal with a call. It holds no connection, only keys. */
function createS3Mini(options: S3Options, signal: AbortSignal): S3mini {
  const { endpoint, bucket, region = "auto", accessKeyId, secretAccessKey } = options;
  return new S3mini({
    endpoint: `${endpoint.replace(/\/+$/, "")}/${bucket}`,
    region,
    accessKeyId,
    secretAccessKey,
    // A redirect would carry the signature to another host.
    fetch: (input, init) => fetch(input, { ...init, signal, redirect: "error" }),
  });
}

async function putParts(
  s3: S3mini,
  options: S3Options,
  name: string,
  parts: AsyncIterable<Buffer>,
): Promise<void> {
  const uploadId = await s3.getMultipartUploadId(name);
  try {
    const uploaded: UploadPart[] = [];
    for await (const part of parts) {
      uploaded.push(await s3.uploadPart(name, uploadId, part, uploaded.length + 1));
    }
    await s3.completeMultipartUpload(name, uploadId, uploaded);
  } catch (error) {
    // The caller's signal may be what ended the upload, so the clean-up has one of its own. It is for the bill only:
    // parts are never visible, and the first error is the one to tell.
    const cleaner = createS3Mini(options, AbortSignal.timeout(SHORT_CALL_MS));
    await cleaner.abortMultipartUpload(name, uploadId).catch(() => {});
    throw error;
  }
}

async function* readBody(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    if (response.body !== null) yield* response.body;
  } catch (cause) {
    throw signal.aborted ? signal.reason : toStorageError(cause);
  }
}

/** The store's words may name the bucket, the key id or the request, so they stay in the cause. */
function toStorageError(cause: unknown): ClipmillError {
  if (cause instanceof ClipmillError) return cause;
  const status = cause instanceof S3ServiceError ? cause.status : null;
  const message =
    status === null ? "the object store cannot be reached" : `the object store answered ${status}`;
  return new RetryableError("storage_failed", message, { cause, details: { status } });
}
