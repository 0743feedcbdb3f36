import { lookup as systemLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { callbackify } from "node:util";
import { RetryableError } from "@clipmill/domain";
import ipaddr from "ipaddr.js";
import { buildConnector } from "undici";

/** All addresses of a host name. Tests put their own here. */
type Resolve = (host: string) => Promise<readonly string[]>;

export interface GuardOptions {
  connectTimeoutMs: number;
  /** Default: the system's resolver. */
  resolve?: Resolve;
  /** Default: `isPublicAddress`. Replaced only by a test's negative control. */
  isAllowedAddress?: (address: string) => boolean;
}

/**
 * A connector that resolves a name once, refuses it if any of its addresses is not public, and connects to exactly
 * the addresses that it checked: a second answer of the DNS server is never asked for.
 * Refuses with RetryableError `bad_response`: the upstream gave us a link that leads inside.
 */
export function createGuardedConnector(options: GuardOptions): buildConnector.connector {
  const {
    connectTimeoutMs,
    resolve = resolveBySystem,
    isAllowedAddress = isPublicAddress,
  } = options;
  const check = callbackify(async (host: string) => {
    const addresses = await resolve(host);
    if (addresses.length === 0 || !addresses.every(isAllowedAddress)) throw toForbidden(host);
    return addresses.map((address) => ({ address, family: isIP(address) }));
  });
  const lookup: LookupFunction = (host, { all = false }, callback) => {
    check(host, (error, checked) => {
      if (error !== null) callback(error, "", 0);
      else if (all) callback(null, checked);
      else callback(null, checked[0]?.address ?? "", checked[0]?.family);
    });
  };
  const connect = buildConnector({ timeout: connectTimeoutMs, lookup, allowH2: false });
  return (target, callback) => {
    // Node does not look up what is an address already, so it would pass by the check above.
    const literal = target.hostname.replace(/^\[|\]$/g, "");
    if (isIP(literal) !== 0 && !isAllowedAddress(literal)) {
      callback(toForbidden(literal), null);
      return;
    }
    connect(target, callback);
  };
}

async function resolveBySystem(host: string): Promise<string[]> {
  const entries = await systemLookup(host, { all: true, verbatim: true });
  return entries.map((entry) => entry.address);
}

/** Only global unicast. ipaddr.js names every special block: private, CGNAT, ULA, NAT64, mapped, documentation, … */
export function isPublicAddress(address: string): boolean {
  return isIP(address) !== 0 && ipaddr.parse(address).range() === "unicast";
}

function toForbidden(host: string): RetryableError {
  return new RetryableError("bad_response", "a media link leads to an address that is not public", {
    details: { host },
  });
}
