import type { Config } from "@clipmill/config";
import {
  ClipmillError,
  type ErrorCode,
  isPageHost,
  type LinkResolver,
  parseLink,
} from "@clipmill/domain";
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

/** Where short links are followed. `url` null: over the network. */
export interface ShortLinkHost {
  url: string | null;
  close(): Promise<void>;
}

/** Resolves links without a database. `findHost` is asked once, when the first short link is to be followed. */
export function createResolver(findHost: () => Promise<ShortLinkHost>): Resolver {
  const { signal } = new AbortController();
  let following: Promise<Following> | null = null;
  return {
    async resolve(link) {
      try {
        const parsed = parseLink(link);
        if (parsed.kind === "post") return toResolved(link, parsed);
        following ??= findHost().then(createFollowing);
        const { links } = await following;
        return toResolved(link, await links.resolve(parsed.url, { signal }));
      } catch (error) {
        if (!(error instanceof ClipmillError)) throw error;
        return { link, code: error.code, message: error.message };
      }
    },
    close: async () => (await following)?.close(),
  };
}

function toResolved(link: string, { awemeId, url }: { awemeId: string; url: string }) {
  return { link, awemeId, kind: url.includes("/photo/") ? "photo" : "video" } as const;
}

interface Following {
  links: LinkResolver;
  close(): Promise<void>;
}

function createFollowing(host: ShortLinkHost): Following {
  const { url } = host;
  const loopback = url === null ? {} : { allowLoopback: new URL(url).origin };
  const http = createSafeHttp({ allowHost: isPageHost, upstream: "tiktok", ...loopback });
  return {
    links: createLinkResolver({ http, ...(url === null ? {} : { sandboxUrl: url }) }),
    async close() {
      await http.close();
      await host.close();
    },
  };
}

/**
 * Where the API's workers follow short links: at the sandbox where that stands in for other people's machines. A running
 * `clipmill up` says whether it does; without one, what it would do is done.
 */
export async function findShortLinkHost(config: Config): Promise<ShortLinkHost> {
  const close = async () => {};
  if (config.CLIPMILL_SANDBOX_URL !== undefined) return { url: config.CLIPMILL_SANDBOX_URL, close };
  const { findRunState } = await import("../up/run-state.ts");
  const running = findRunState(config.CLIPMILL_HOME);
  if (running !== null) return { url: running.sandboxUrl, close };
  const { wantsSandbox } = await import("../up/wants-sandbox.ts");
  if (!wantsSandbox(config)) return { url: null, close };
  const { createSandbox } = await import("@clipmill/sandbox");
  return createSandbox();
}
