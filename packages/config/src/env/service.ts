import { isIP } from "node:net";
import { z } from "zod";
import { list, variable } from "../variable.ts";

/** A DNS name without a port. */
const HostName = z.string().regex(/^[a-z0-9.-]{1,253}$/i, "not the name of a host");
const ProxyRange = z
  .string()
  .refine(isAddressRange, "not an address or a range such as 10.0.0.0/8");

function isAddressRange(text: string): boolean {
  const [address = "", bits] = text.split("/");
  const version = isIP(address);
  return (
    version !== 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
  );
}

/** The installation as a whole: where its data lies, where its API listens and what it remembers. */
export const service = {
  CLIPMILL_HOME: variable(
    z.string().default(".clipmill"),
    "Directory of data, media, secrets and downloaded engines.",
  ),
  HOST: variable(z.string().default("127.0.0.1"), "Address that the API listens on."),
  PORT: variable(
    z.coerce.number().int().min(1).max(65_535).optional(),
    "Port of the API. Not set: 4600, or the next free one. Set and taken: an error.",
  ),
  PUBLIC_HOSTS: variable(
    list.pipe(z.array(HostName)).default([]),
    "Names, without a port, under which browsers reach the API and its pages, such as clipmill.example.com. Pages under any other name may only read. Loopback names and addresses need not be listed.",
  ),
  TRUSTED_PROXIES: variable(
    list.pipe(z.array(ProxyRange)).default([]),
    "Addresses or ranges of proxies in front of the API, such as 10.0.0.0/8. Their X-Forwarded-For, -Proto and -Host are believed: callers are told apart, and cookies are Secure behind TLS. Not set: nobody's are.",
  ),
  ANSWER_MEMORY_BYTES: variable(
    z.coerce.number().int().min(0).default(32_000_000),
    "Answers about stored posts that the API keeps ready in memory. Each is checked against Postgres whenever it is read. 0: none.",
  ),
} as const;
