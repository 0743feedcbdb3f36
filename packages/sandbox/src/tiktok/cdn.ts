import { readFileSync } from "node:fs";
import { type Answer, type Endpoint, type SandboxRequest, toTextAnswer } from "../claude/answer.ts";
import type { PlantedPost } from "../planted-posts.ts";
import type { PresignedLinks } from "./presigned-links.ts";
import { type SampleFile, type SamplePost, toSamplePath } from "../sample-posts.ts";

type Rendition = "play" | "hd" | "wm";

/** Each rendition has a link of its own; all of them serve the one file that the pack has. */
export function toRenditionName(file: Pick<SampleFile, "name">, rendition: Rendition): string {
  return rendition === "play" ? file.name : file.name.replace(/(\.\w+)$/, `-${rendition}$1`);
}

/** The CDN: presigned links, ranges, and 403 for a link that is too old or not ours. */
export function toCdn(
  posts: readonly SamplePost[],
  planted: readonly PlantedPost[],
  links: PresignedLinks,
): Endpoint {
  const files = new Map<string, { postId: string; contentType: string; read(): Buffer }>();
  for (const post of posts) {
    for (const file of post.files) {
      const { contentType } = file;
      const content = readFileSync(toSamplePath(file));
      files.set(file.name, { postId: post.id, contentType, read: () => content });
    }
  }
  for (const { id, files: own } of planted) {
    for (const file of own) files.set(file.name, { ...file, postId: id });
  }
  return {
    name: "cdn",
    path: "/cdn/:token/:name",
    answer(request) {
      const { token = "", name = "" } = request.params;
      const file = files.get(name.replace(/-(?:hd|wm)(\.\w+)$/, "$1"));
      const postId = file?.postId ?? null;
      const verdict = links.check(name, token, request.query["x-expires"] ?? "");
      if (verdict !== "valid") {
        return { answer: toTextAnswer(403, `Access Denied: the link is ${verdict}`), postId };
      }
      if (file === undefined) return { answer: toTextAnswer(404, "Not Found"), postId };
      return { answer: toRange(request, file), postId };
    },
  };
}

/** The whole file, or the one range that was asked for (RFC 9110 §14); several ranges get the whole file. */
function toRange(request: SandboxRequest, file: { contentType: string; read(): Buffer }): Answer {
  const { contentType } = file;
  const content = file.read();
  const headers = { "content-type": contentType, "accept-ranges": "bytes" };
  const asked = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? "");
  const [, first = "", last = ""] = asked ?? [];
  if (first === "" && last === "") return { status: 200, headers, body: content };

  const size = content.length;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (start > end) {
    const refused = toTextAnswer(416, "Range Not Satisfiable");
    return { ...refused, headers: { ...refused.headers, "content-range": `bytes */${size}` } };
  }
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${start}-${end}/${size}` },
    body: content.subarray(start, end + 1),
  };
}
