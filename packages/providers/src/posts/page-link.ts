import {
  AwemeId,
  type EngineId,
  parseLink,
  type PostRef,
  UnrecoverableError,
} from "@clipmill/domain";

/** The numeric id that an API can be asked for. Throws UnrecoverableError `unsupported` for a local file. */
export function toRequestedId({ postId }: Pick<PostRef, "postId">, engine: EngineId): AwemeId {
  const requestedId = AwemeId.safeParse(postId).data;
  if (requestedId !== undefined) return requestedId;
  throw new UnrecoverableError("unsupported", `${engine} knows TikTok posts only, no local files`);
}

/** The link as it was given if it is of this post, since it names the creator; else any name will do. */
export function toPageLink(link: string | null, requestedId: AwemeId): string {
  if (link !== null && link.includes(requestedId)) {
    const parsed = parseLink(link);
    if (parsed.kind === "post" && parsed.awemeId === requestedId && !parsed.url.includes("/@/")) {
      return parsed.url;
    }
  }
  return `https://www.tiktok.com/@placeholder/video/${requestedId}`;
}
