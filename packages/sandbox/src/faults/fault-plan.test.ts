import { expect, test } from "vitest";
import { Fault } from "./fault.ts";
import { newFaultPlan } from "./fault-plan.ts";

const POST = "7000000000000000001";
const OTHER = "7000000000000000002";

function toPlan(faults: readonly Fault[], seed = 1) {
  return newFaultPlan(
    faults.map((fault) => Fault.parse(fault)),
    seed,
  );
}

test("a fault without a route fires only where its kind makes sense", () => {
  const plan = toPlan([{ kind: "expired-link" }]);
  expect(plan.take("post-detail", POST)).toBeNull();
  expect(plan.take("cdn", POST)?.kind).toBe("expired-link");
});

test("a fault for one post leaves the others alone", () => {
  const plan = toPlan([{ kind: "html", match: { postId: POST } }]);
  expect(plan.take("cdn", OTHER)).toBeNull();
  expect(plan.take("cdn", null)).toBeNull();
  expect(plan.take("cdn", POST)?.kind).toBe("html");
});

test("a fault with times is used up, and the next in line takes over", () => {
  const plan = toPlan([{ kind: "timeout", times: 2 }, { kind: "html" }]);
  const kinds = [1, 2, 3].map(() => plan.take("cdn", POST)?.kind);
  expect(kinds).toEqual(["timeout", "timeout", "html"]);
});

test("a rate hits its share, the same requests for the same seed and others for another", () => {
  const draw = (seed: number) => {
    const plan = toPlan([{ kind: "html", rate: 0.3 }], seed);
    return Array.from({ length: 1000 }, () => plan.take("cdn", POST) !== null);
  };
  const hits = draw(7).filter(Boolean).length;
  expect(hits).toBeGreaterThan(250);
  expect(hits).toBeLessThan(350);
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("traffic on another route does not change which requests a rate hits", () => {
  const draw = (noise: boolean) => {
    const plan = toPlan([{ kind: "html", match: { route: "cdn" }, rate: 0.5 }]);
    return Array.from({ length: 100 }, () => {
      if (noise) plan.take("messages", null);
      return plan.take("cdn", POST) !== null;
    });
  };
  expect(draw(true)).toEqual(draw(false));
});

test("clearing takes back what was added and keeps what the pack brought", () => {
  const plan = toPlan([{ kind: "html" }]);
  plan.add([Fault.parse({ kind: "timeout" })]);
  expect(plan.take("cdn", POST)?.kind).toBe("timeout");
  plan.clear();
  expect(plan.take("cdn", POST)?.kind).toBe("html");
});

test.each([
  { kind: "nonsense" },
  { kind: "html", match: { postid: POST } },
  { kind: "overloaded", match: { route: "cdn" } },
  { kind: "html", rate: 2 },
  { kind: "html", times: 0 },
  { kind: "server-error", status: 404 },
])("%o is refused, since it could never fire as meant", (fault) => {
  expect(Fault.safeParse(fault).success).toBe(false);
});
