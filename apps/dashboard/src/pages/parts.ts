import type { RequestState } from "@clipmill/domain";
import { html, type Html } from "./html.ts";

export function toStatusPill(status: RequestState): Html {
  return html`<span class="pill ${status}">${status}</span>`;
}

/** `72.5` → `1:12`; hours only where there are some. */
export function toClock(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (part: number) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0
    ? `${hours}:${pad(minutes)}:${pad(whole % 60)}`
    : `${minutes}:${pad(whole % 60)}`;
}

export function toDuration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** A job costs fractions of a cent, so four decimals; what is not zero never reads as zero. */
export function toDollars(usd: number): string {
  if (usd > 0 && usd < 0.0001) return "< $0.0001";
  return `$${usd.toFixed(usd === 0 ? 2 : 4)}`;
}

/** `2026-11-28T13:45:10.123Z` → `2026-11-28 13:45:10 UTC`. */
export function toMoment(iso: string): string {
  return `${iso.slice(0, 19).replace("T", " ")} UTC`;
}
