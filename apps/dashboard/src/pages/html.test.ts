import { describe, expect, it } from "vitest";
import { html, render, toSafeHref } from "./html.ts";

const body = (value: Parameters<typeof html>[1]) => render(html`${value}`).split("\n")[1];

describe("html", () => {
  it("escapes text and attribute values", () => {
    expect(body(`<img src=x onerror='alert("1")'> & co`)).toBe(
      "&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt; &amp; co",
    );
  });

  it("keeps markup of its own and joins lists", () => {
    expect(body([html`<b>${"<"}</b>`, 1, null, false])).toBe("<b>&lt;</b>1");
  });

  it("does not take a foreign object for markup", () => {
    const forged = JSON.parse('{"markup":"<script>"}') as never;
    expect(() => body(forged)).toThrow(TypeError);
  });
});

describe("toSafeHref", () => {
  it.each(["javascript:alert(1)", "data:text/html,x", "http://tiktok.com/", "//x", "", null])(
    "is null for %j",
    (url) => {
      expect(toSafeHref(url)).toBeNull();
    },
  );

  it("keeps an https link", () => {
    expect(toSafeHref("https://www.tiktok.com/@a/video/1")).toBe(
      "https://www.tiktok.com/@a/video/1",
    );
  });
});
