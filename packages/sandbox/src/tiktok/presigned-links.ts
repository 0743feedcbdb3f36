import { createHmac, randomBytes } from "node:crypto";

export interface PresignedLinks {
  /** `<origin>/cdn/<token>/<name>?x-expires=<Unix seconds>` */
  toLink(origin: string, name: string): string;
  check(name: string, token: string, expires: string): "valid" | "expired" | "forged";
}

interface PresignedLinksOptions {
  ttlMs: number;
  now: () => number;
}

/** Links of another sandbox are forged: the secret lives as long as the process. */
export function newPresignedLinks({ ttlMs, now }: PresignedLinksOptions): PresignedLinks {
  const secret = randomBytes(32);
  const sign = (name: string, expires: string): string =>
    createHmac("sha256", secret).update(`${name}\n${expires}`).digest("hex").slice(0, 32);
  return {
    toLink(origin, name) {
      const expires = String(Math.ceil((now() + ttlMs) / 1000));
      return `${origin}/cdn/${sign(name, expires)}/${name}?x-expires=${expires}`;
    },
    check(name, token, expires) {
      if (sign(name, expires) !== token) return "forged";
      return now() < Number(expires) * 1000 ? "valid" : "expired";
    },
  };
}
