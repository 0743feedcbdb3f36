/** Hosts whose pages name a post in their path. Exact names: a subdomain that is not listed is somebody else's. */
export const PAGE_HOSTS: ReadonlySet<string> = new Set([
  "tiktok.com",
  "www.tiktok.com",
  "m.tiktok.com",
  "t.tiktok.com",
  "tiktokv.com",
  "www.tiktokv.com",
  "m.tiktokv.com",
]);

/** Hosts whose whole path is an opaque code that redirects to a page. */
export const SHORT_HOSTS: ReadonlySet<string> = new Set(["vm.tiktok.com", "vt.tiktok.com"]);

/** The Chinese sister: recognised so that the answer can say so. */
export const DOUYIN_HOSTS: ReadonlySet<string> = new Set([
  "douyin.com",
  "www.douyin.com",
  "m.douyin.com",
  "v.douyin.com",
  "live.douyin.com",
  "iesdouyin.com",
  "www.iesdouyin.com",
]);

export function isLinkHost(host: string): boolean {
  return PAGE_HOSTS.has(host) || SHORT_HOSTS.has(host) || DOUYIN_HOSTS.has(host);
}

/** Hosts that a short link may lead over: TikTok's pages and its short links, by exact name. */
export function isPageHost(host: string): boolean {
  return PAGE_HOSTS.has(host) || SHORT_HOSTS.has(host);
}
