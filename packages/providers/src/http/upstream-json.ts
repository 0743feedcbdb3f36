import { parseExactJson } from "./exact-json.ts";

/**
 * What an upstream sent as JSON; undefined where it cannot be read as such. Beyond the standard it takes what servers
 * do send: a byte order mark, `NaN`, `Infinity` and Python's `None` (as null), raw line breaks inside of strings, and
 * commas before a closing bracket. Takes time in proportion to the length.
 */
export function parseUpstreamJson(text: string): unknown {
  const body = text.replace(/^\uFEFF/, "");
  return tryParse(body) ?? tryParse(toStandard(body));
}

function tryParse(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    // HTML, a cut-off body, nesting without end: all of them are no JSON.
    return undefined;
  }
}

/** Rewrites what stands outside of strings, and line breaks and other controls inside of them. */
function toStandard(text: string): string {
  const parts: string[] = [];
  let from = 0;
  while (from < text.length) {
    const start = text.indexOf('"', from);
    if (start < 0) break;
    const end = findStringEnd(text, start);
    parts.push(toStandardTokens(text.slice(from, start)));
    // oxlint-disable-next-line no-control-regex
    parts.push(text.slice(start, end).replace(/[\u0000-\u001F]/g, " "));
    from = end;
  }
  parts.push(toStandardTokens(text.slice(from)));
  return parts.join("");
}

/** Just after the closing quote; the end of the text where there is none. */
function findStringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

const WORDS: Readonly<Record<string, string>> = { true: "true", false: "false" };

function toStandardTokens(text: string): string {
  return text
    .replace(
      /-?\b(?:NaN|Infinity|Inf|None|True|False|undefined)\b/gi,
      (word) => WORDS[word.toLowerCase()] ?? "null",
    )
    .replace(/,(?=\s{0,1000}[}\]])/g, "");
}
