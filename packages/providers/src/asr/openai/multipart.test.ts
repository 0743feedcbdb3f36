import { expect, test } from "vitest";
import { toMultipart } from "./multipart.ts";

const fields = { model: "größe 3", language: "en" };
const bytes = Buffer.from([0, 13, 10, 45, 45, 255]);
const file = { field: "file", name: "clip.wav", type: "audio/wav" };

/** What a server reads of it. */
async function read(content: Buffer | Blob) {
  const { headers, body } = toMultipart(fields, { ...file, content });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk as Uint8Array);
  const sent = Buffer.concat(chunks);
  expect(headers["content-length"]).toBe(String(sent.byteLength));
  return await new Response(sent, { headers }).formData();
}

test.each<[what: string, content: Buffer | Blob]>([
  ["in memory", bytes],
  ["in a blob", new Blob([bytes.subarray(0, 2), bytes.subarray(2)])],
])("a form with a file %s is read as it was meant", async (_what, content) => {
  const form = await read(content);
  expect([...form.keys()]).toEqual(["model", "language", "file"]);
  expect(form.get("model")).toBe("größe 3");
  const got = form.get("file") as File;
  expect({ name: got.name, type: got.type }).toEqual({ name: "clip.wav", type: "audio/wav" });
  expect(Buffer.from(await got.arrayBuffer())).toEqual(bytes);
});
