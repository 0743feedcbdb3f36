/** Names that Whisper uses and the Unicode list spells otherwise. */
const WHISPER_NAMES: Readonly<Record<string, string>> = {
  cantonese: "yue",
  castilian: "es",
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

let tagsByName: ReadonlyMap<string, string> | undefined;

/**
 * The BCP-47 primary tag of what a server calls a language: `en`, `en-US` and `English` give `en` (whisper.cpp and
 * OpenAI answer with the English name). Null for anything else.
 */
export function toLanguageTag(language: string | null | undefined): string | null {
  const name = language?.trim().toLowerCase() ?? "";
  const tag = /^([a-z]{2,3})(?:[-_][a-z0-9]+)*$/.exec(name)?.[1];
  if (tag !== undefined) return tag === "und" ? null : tag;
  tagsByName ??= loadTagsByName();
  return WHISPER_NAMES[name] ?? tagsByName.get(name) ?? null;
}

function loadTagsByName(): ReadonlyMap<string, string> {
  const names = new Intl.DisplayNames("en", { type: "language", fallback: "none" });
  const letters = "abcdefghijklmnopqrstuvwxyz".split("");
  const tags = new Map<string, string>();
  for (const tag of letters.flatMap((first) => letters.map((second) => first + second))) {
    const name = names.of(tag)?.toLowerCase();
    if (name !== undefined && !tags.has(name)) tags.set(name, tag);
  }
  return tags;
}
