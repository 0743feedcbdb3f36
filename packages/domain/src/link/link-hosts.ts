/** Hosts whose pages name a post in their path, and that a short link may lead over. */
const PAGE_HOSTS: ReadonlySet<string> = new Set([
  "tiktok.com",
  "www.tiktok.com",
  "m.tiktok.com",
  "mobile.tiktok.com",
  "t.tiktok.com",
  "lite.tiktok.com",
  "www.lite.tiktok.com",
  "tiktokv.com",
  "www.tiktokv.com",
  "m.tiktokv.com",
  "tiktokv.us",
  "www.tiktokv.us",
  "tiktokv.eu",
  "www.tiktokv.eu",
]);

/** A country's or a language's name for the same pages: `us.tiktok.com`. Read, and never called. */
const REGIONAL_HOST = /^[a-z]{2}\.tiktok\.com$/;

/** TikTok Lite has short codes of its own, under `/t/`. */
const LITE_HOSTS: ReadonlySet<string> = new Set(["lite.tiktok.com", "www.lite.tiktok.com"]);

/** Hosts whose whole path is an opaque code that redirects to a page. */
export const SHORT_HOSTS: ReadonlySet<string> = new Set(["vm.tiktok.com", "vt.tiktok.com"]);

/** AppsFlyer's pages that open the app. The post stands in a parameter; they are read, and never called. */
const APP_PAGE_HOSTS: ReadonlySet<string> = new Set([
  "snssdk1180.onelink.me",
  "snssdk1233.onelink.me",
]);

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

/** Hosts whose links are read. Exact names and countries: any other subdomain is somebody else's. */
export function isLinkHost(host: string): boolean {
  return (
    PAGE_HOSTS.has(host) ||
    SHORT_HOSTS.has(host) ||
    DOUYIN_HOSTS.has(host) ||
    APP_PAGE_HOSTS.has(host) ||
    REGIONAL_HOST.test(host)
  );
}

export function isAppPageHost(host: string): boolean {
  return APP_PAGE_HOSTS.has(host);
}

/** Hosts that may be called when a short link is followed: TikTok's pages and its short links, by exact name. */
export function isPageHost(host: string): boolean {
  return PAGE_HOSTS.has(host) || SHORT_HOSTS.has(host);
}

/** The host to ask what a code under `/t/` stands for; null for a host that has no such codes. */
export function toCodeHost(host: string): string | null {
  if (LITE_HOSTS.has(host)) return "lite.tiktok.com";
  return PAGE_HOSTS.has(host) || REGIONAL_HOST.test(host) ? "www.tiktok.com" : null;
}

/** Schemes that open the app: `snssdk1233://aweme/detail/<id>`. Null for a scheme of somebody else. */
export function toApp(scheme: string): "tiktok" | "douyin" | null {
  if (/^(?:snssdk(?:1180|1233)|musically)$/.test(scheme)) return "tiktok";
  return /^(?:snssdk1128|aweme)$/.test(scheme) ? "douyin" : null;
}
