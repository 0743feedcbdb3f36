const MARKUP = Symbol("markup");

/** Markup that is safe to send. Only `html` makes it, and no JSON from outside can pose as it. */
export interface Html {
  readonly [MARKUP]: string;
}

export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

/**
 * Markup from a template. Everything put in is escaped, for text and for double-quoted attributes alike; attributes
 * are therefore always written with double quotes. null, undefined and false are nothing.
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const markup = parts.reduce((done, part, i) => done + toMarkup(values[i - 1]) + part);
  return { [MARKUP]: markup };
}

/** The document as text. */
export function render(page: Html): string {
  return `<!doctype html>\n${page[MARKUP]}`;
}

/** A link from outside, if it may stand in an `href`: `javascript:` and the like are no link. */
export function toSafeHref(url: string | null): string | null {
  if (url === null || !URL.canParse(url)) return null;
  return new URL(url).protocol === "https:" ? url : null;
}

function toMarkup(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return "";
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  if (MARKUP in value) return value[MARKUP];
  return value.map(toMarkup).join("");
}

const ESCAPES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ESCAPES[char] ?? char);
}
