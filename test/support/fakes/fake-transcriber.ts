import type { FakeRequest } from "./http-fake.ts";

/** The form fields of a multipart upload, the file as its name and size. */
export async function parseUpload(
  request: FakeRequest,
): Promise<{ fields: Record<string, string>; fileName: string; fileBytes: number }> {
  const contentType = request.headers["content-type"] ?? "";
  const form = await new Response(new Uint8Array(request.body), {
    headers: { "content-type": contentType },
  }).formData();
  const file = form.get("file");
  if (!(file instanceof File)) throw new Error("the upload has no file");
  const fields: Record<string, string> = {};
  for (const [name, value] of form) if (typeof value === "string") fields[name] = value;
  return { fields, fileName: file.name, fileBytes: file.size };
}
