/** Names that Whisper uses and the Unicode list spells otherwise. */
const WHISPER_NAMES: Readonly<Record<string, string>> = {
  cantonese: "yue",
  castilian: "es",
  farsi: "fa",
  flemish: "nl",
  "haitian creole": "ht",
  hawaiian: "haw",
  mandarin: "zh",
  moldovan: "ro",
  myanmar: "my",
  nynorsk: "nn",
  panjabi: "pa",
  tagalog: "tl",
  valencian: "ca",
};

/** Codes of libraries and of Whisper (`jw`) that BCP-47 does not have or that the Unicode list does not replace. */
const OTHER_CODES: Readonly<Record<string, string>> = {
  alb: "sq",
  arm: "hy",
  baq: "eu",
  bur: "my",
  chi: "zh",
  cze: "cs",
  dut: "nl",
  fre: "fr",
  geo: "ka",
  ger: "de",
  gre: "el",
  ice: "is",
  jw: "jv",
  mac: "mk",
  may: "ms",
  per: "fa",
  rum: "ro",
  slo: "sk",
  tib: "bo",
  wel: "cy",
};
/** What stands for "not known", "several" and "no language". */
const NO_LANGUAGE: ReadonlySet<string> = new Set(["und", "mul", "zxx", "mis", "nil"]);

const NAME_MAX_CHARS = 60;

let names: Intl.DisplayNames | undefined;
let tagsByName: ReadonlyMap<string, string> | undefined;

/**
 * The BCP-47 primary tag of what a server calls a language: `en`, `en-US`, `eng`, `<|en|>` and `English` give `en`
 * (whisper.cpp and OpenAI answer with the English name), and old codes their present ones: `jw` gives `jv`, `iw` `he`.
 * Null for anything else.
 */
export function toLanguageTag(language: string | null | undefined): string | null {
  const name = (language ?? "")
    .slice(0, NAME_MAX_CHARS)
    .toLowerCase()
    .replace(/[<|>]|\(.{0,60}/g, "")
    .trim();
  const code = /^([a-z]{2,3})(?:[-_][a-z0-9]{1,8}){0,5}$/.exec(name)?.[1];
  if (code !== undefined) return toTag(code);
  tagsByName ??= loadTagsByName();
  return WHISPER_NAMES[name] ?? tagsByName.get(name) ?? null;
}

function toTag(code: string): string | null {
  if (NO_LANGUAGE.has(code)) return null;
  // `tl` is what every recogniser calls it; the Unicode list would make `fil` of it.
  const tag = code === "tl" ? code : (OTHER_CODES[code] ?? new Intl.Locale(code).language);
  names ??= new Intl.DisplayNames("en", { type: "language", fallback: "none" });
  // Of three letters there are 8,000, and the list has those of larger languages only.
  return tag.length === 2 && names.of(tag) === undefined ? null : tag;
}

function loadTagsByName(): ReadonlyMap<string, string> {
  names ??= new Intl.DisplayNames("en", { type: "language", fallback: "none" });
  const letters = "abcdefghijklmnopqrstuvwxyz".split("");
  const tags = new Map<string, string>();
  for (const tag of letters.flatMap((first) => letters.map((second) => first + second))) {
    const name = names.of(tag)?.toLowerCase();
    if (name !== undefined && !tags.has(name)) tags.set(name, tag);
  }
  return tags;
}
