/** One thing that clipmill depends on. */
export interface Finding {
  name: string;
  /** `missing` is what clipmill cannot do without as it is set up; `note` is worse without, but works. */
  status: "ok" | "note" | "missing";
  found: string;
  /** What to do; null where nothing is to be done. */
  advice: string | null;
}

export const ok = (name: string, found: string): Finding => ({
  name,
  status: "ok",
  found,
  advice: null,
});
export const note = (name: string, found: string, advice: string): Finding => ({
  name,
  status: "note",
  found,
  advice,
});
export const missing = (name: string, found: string, advice: string): Finding => ({
  name,
  status: "missing",
  found,
  advice,
});
