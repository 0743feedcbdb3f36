import { expect, test } from "vitest";
import { judgeSentiment } from "./sentiment.ts";

test.each([
  ["I love this amazing recipe", "positive"],
  ["the worst scam ever", "negative"],
  ["great taste but terrible smell", "mixed"],
  ["the bus leaves at nine", "neutral"],
  ["", "neutral"],
  ["this is not good", "negative"],
  ["it never fails, don’t hate it", "positive"],
])("%j is %s", (text, sentiment) => {
  expect(judgeSentiment(text)).toBe(sentiment);
});
