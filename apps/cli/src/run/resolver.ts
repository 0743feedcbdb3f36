import { ClipmillError, type ErrorCode, isPageHost, parseLink } from "@clipmill/domain";
import { createLinkResolver, createSafeHttp } from "@clipmill/providers";

/** What a link stands for, or why for nothing. `kind` is `photo` where the link says so: only the post itself knows. */
export type ResolvedLink =
  | { link: string; awemeId: string; kind: "video" | "photo" }
  | { link: string; code: ErrorCode; message: string };

export interface Resolver {
  /** Never throws for what is wrong with a link, or with the machine that it leads to. */
  resolve(link: string): Promise<ResolvedLink>;
  close(): Promise<void>;
}

/** Resolves links without a database; short ones over the network, or at a sandbox. */
export function createResolver({ sandboxUrl }: { sandboxUrl?: string | undefined }): Resolver {
  const sandbox = sandboxUrl === undefined ? {} : { sandboxUrl };
  const loopback = sandboxUrl === undefined ? {} : { allowLoopback: new URL(sandboxUrl).origin };
  const http = createSafeHttp({ allowHost: isPageHost, upstream: "tiktok", ...loopback });
  const shortLinks = createLinkResolver({ http, ...sandbox });
  const { signal } = new AbortController();
  return {
    async resolve(link) {
      try {
        const parsed = parseLink(link);
        const { awemeId, url } =
          parsed.kind === "post" ? parsed : await shortLinks.resolve(parsed.url, { signal });
        return { link, awemeId, kind: url.includes("/photo/") ? "photo" : "video" };
      } catch (error) {
        if (!(error instanceof ClipmillError)) throw error;
        return { link, code: error.code, message: error.message };
      }
    },
    close: () => http.close(),
  };
}
