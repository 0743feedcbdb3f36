import { Readable } from "node:stream";
import { findEncoding } from "@clipmill/domain";
import { inflate } from "../../../http/content-encoding.ts";
import { refuseList } from "./list-types.ts";
import { withPatience } from "./with-patience.ts";

/** Enough to tell an encoding and a file type by. */
const HEAD_BYTES = 1_024;

/** The first bytes of what is no text, and what it is. */
const FILE_TYPES: readonly (readonly [hex: string, what: string])[] = [
  ["504b0304", "this is an Excel workbook (XLSX; save it as CSV) or another ZIP archive"],
  ["504b0506", "this is an empty ZIP archive"],
  ["d0cf11e0", "this is an old Excel workbook (XLS; save it as CSV)"],
  ["25504446", "this is a PDF"],
  ["377abcaf", "this is a 7z archive"],
  ["7b5c7274", "this is an RTF document"],
  ["53514c69", "this is an SQLite database"],
  ["50415231", "this is a Parquet file"],
];
const MARKUP = /^\s{0,1000}<(?:!doctype|html|head|body|table|\?xml)\b/i;

/**
 * The text of a body as it arrives, with `\n` at the end of each line. A file that is compressed is unpacked; UTF-16
 * and byte order marks are known by themselves, `charset` is what the caller named. The body is never destroyed, so that
 * an answer can still be sent. Throws FaultError 415 for what is no text.
 */
export async function* readText(body: Readable, charset: string | null): AsyncGenerator<string> {
  let { head, rest } = await peek(body);
  // A file that was compressed before it was sent, which no header tells.
  if (head[0] === 0x1f && head[1] === 0x8b) {
    ({ head, rest } = await peek(inflate(Readable.from(rest), "gzip")));
  }
  const hex = head.subarray(0, 4).toString("hex");
  const fileType = FILE_TYPES.find(([start]) => hex === start);
  if (fileType !== undefined) throw refuseList(fileType[1]);
  if (isBinary(head)) throw refuseList("this is no text");
  const decoder = createDecoder(head, charset);
  if (MARKUP.test(createDecoder(head, charset).decode(head))) {
    throw refuseList("this is an HTML or XML page");
  }
  let endedInReturn = false;
  const toLines = (text: string) => {
    const whole = endedInReturn ? `\r${text}` : text;
    // The next piece tells whether a line feed belongs to it.
    endedInReturn = whole.endsWith("\r");
    return (endedInReturn ? whole.slice(0, -1) : whole).replace(/\r\n?|\u0085/g, "\n");
  };
  for await (const bytes of rest) yield toLines(decoder.decode(bytes, { stream: true }));
  yield toLines(decoder.decode());
  if (endedInReturn) yield "\n";
}

/** One stray zero byte spoils its line, many make a file of another kind. */
function isBinary(head: Uint8Array): boolean {
  return findEncoding(head) === null && head.filter((byte) => byte === 0).length > head.length / 20;
}

function createDecoder(head: Uint8Array, charset: string | null) {
  const own = findEncoding(head);
  // UTF-16 that is none would turn a good list into Chinese.
  const named = charset === null || /^utf-?16/.test(charset) ? "utf-8" : charset;
  try {
    return new TextDecoder(own ?? named);
  } catch {
    throw refuseList("the charset of the content type is not known (UTF-8 and UTF-16 need none)");
  }
}

/** The first bytes, and all of them again. */
async function peek(body: Readable): Promise<{ head: Buffer; rest: AsyncGenerator<Uint8Array> }> {
  const iterator = body.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  const pieces = withPatience(iterator);
  const first: Buffer[] = [];
  for (let bytes = 0; bytes < HEAD_BYTES;) {
    const { done, value } = await pieces.next();
    if (done === true) break;
    first.push(value);
    bytes += value.length;
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    yield* first;
    for (;;) {
      const { done, value } = await pieces.next();
      if (done === true) return;
      yield value;
    }
  }
  return { head: Buffer.concat(first).subarray(0, HEAD_BYTES), rest: all() };
}
