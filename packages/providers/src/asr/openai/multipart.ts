import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";

/** A form with one file, as it goes over the wire (RFC 7578). */
export interface Multipart {
  headers: { "content-type": string; "content-length": string };
  body: Readable;
}

export interface FormFile {
  /** Of the field. */
  field: string;
  /** Of the file, and its media type: our own words, without quotes. */
  name: string;
  type: string;
  content: Buffer | Blob;
}

/** The fields come first, so that a server knows what to do with the file when it comes. */
export function toMultipart(fields: Readonly<Record<string, string>>, file: FormFile): Multipart {
  const boundary = `clipmill-${randomUUID()}`;
  const part = (name: string, more: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const values = Object.entries(fields).map(([name, value]) => `${part(name, "")}${value}\r\n`);
  const { field, name, type, content } = file;
  const start = part(field, `; filename="${name}"\r\nContent-Type: ${type}`);
  const head = Buffer.from([...values, start].join(""));
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const size = Buffer.isBuffer(content) ? content.byteLength : content.size;
  return {
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(head.byteLength + size + tail.byteLength),
    },
    body: Readable.from(toPieces(head, content, tail), { objectMode: false }),
  };
}

/** What is in memory is not copied. */
async function* toPieces(
  head: Buffer,
  content: Buffer | Blob,
  tail: Buffer,
): AsyncIterable<Uint8Array> {
  yield head;
  if (Buffer.isBuffer(content)) yield content;
  else yield* content.stream();
  yield tail;
}
