/**
 * Where media of posts lies: a host is allowed if it is one of these or ends in a dot and one of these. Only names
 * under which strangers cannot put files; shared CDN names such as akamaized.net are not here.
 */
export const CDN_SUFFIXES: readonly string[] = [
  "tiktok.com",
  "tiktokv.com",
  "tiktokv.us",
  "tiktokv.eu",
  "tiktokw.us",
  "tiktokcdn.com",
  "tiktokcdn-us.com",
  "tiktokcdn-eu.com",
  "ttwstatic.com",
  "byteoversea.com",
  "ibytedtos.com",
  "ibyteimg.com",
  "muscdn.com",
  // TikLiveAPI and tikwm may hand out links to their own mirrors.
  "tikliveapi.com",
  "tikwm.com",
];

/** Labels of letters, digits and hyphens: a URL parser lets far more pass, and resolvers differ in what they make of it. */
const PLAIN_HOST = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/;

/** Whether a host is on a list of dot suffixes, letter by letter. */
function hasAllowedSuffix(host: string, suffixes: readonly string[]): boolean {
  return (
    PLAIN_HOST.test(host) &&
    suffixes.some((suffix) => host === suffix || host.endsWith(`.${suffix}`))
  );
}

/** The hosts that media may be fetched from. */
export function isCdnHost(host: string): boolean {
  return hasAllowedSuffix(host, CDN_SUFFIXES);
}
