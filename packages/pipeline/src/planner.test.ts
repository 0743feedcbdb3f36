import { defineStage, type EndedJob, type RequestFacts, type StageStates } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createPipeline, createPipelines, type Step, step, type StepRule } from "./planner.ts";

const POST_ID = "7345678901234567890";

const spec = (name: string) =>
  defineStage({
    name,
    queue: "io",
    input: z.object({ id: z.string() }),
    output: z.object({ id: z.string(), postId: z.string().optional() }),
    attempts: 3,
    timeoutMs: 1_000,
    key: ({ id }) => `key of ${id}`,
    rerun: ({ end }) => end.state === "done" && end.output.id === "poor",
  });
type Spec = ReturnType<typeof spec>;
type Rule = StepRule<{ id: string }, { id: string; postId?: string | undefined }>;

const [fetch, hear, write] = [spec("fetch"), spec("hear"), spec("write")];
const then = (stage: Spec, after: readonly Spec[], rule: Partial<Rule> = {}) =>
  step(stage, { after, input: ({ request }) => ({ id: request.link }), ...rule });
const once = (...steps: Step[]) => createPipeline("toy", steps, { isAboutPost: false });

const request = (more: Partial<RequestFacts> = {}): RequestFacts => ({
  id: "job_1",
  kind: "toy",
  link: "x",
  postId: null,
  outputs: [],
  recipes: { source: [], asr: [], ocr: [], llm: [] },
  language: null,
  fresh: false,
  input: null,
  ...more,
});
const done = (id = "x", more: object = {}) => ({
  state: "done" as const,
  output: { id, ...more },
});
const open = { state: "open" } as const;
const failed = { state: "failed", code: "internal", message: "broken" } as const;
const skipped = { state: "skipped", code: "gone", message: "deleted" } as const;

describe("an output that cannot be read", () => {
  const unreadable = { state: "done" as const, output: { name: "of another version" } };
  const plan = (states: StageStates) =>
    once(then(fetch, []), then(hear, [fetch]), then(write, [hear])).plan(request(), states);

  test("makes its step be planned again, before those that follow", () => {
    expect(plan({ fetch: unreadable, hear: done() })).toMatchObject({
      kind: "steps",
      steps: [{ step: "fetch", key: "key of x", again: true }],
    });
    expect(plan({ fetch: done(), hear: unreadable, write: done() })).toMatchObject({
      kind: "steps",
      steps: [{ step: "hear", again: true }],
    });
  });

  test("does not matter where the step is no part of the plan", () => {
    const states = { fetch: done(), gone: unreadable };
    expect(once(then(fetch, [])).plan(request(), states)).toMatchObject({ kind: "done" });
    const skipping = once(then(fetch, []), then(hear, [fetch], { input: () => null }));
    expect(skipping.plan(request(), { fetch: done(), hear: unreadable })).toMatchObject({
      kind: "done",
    });
  });

  test("is planned like any other once it runs again", () => {
    expect(plan({ fetch: open })).toMatchObject({ kind: "steps", steps: [] });
    expect(plan({ fetch: done() })).toMatchObject({ steps: [{ step: "hear" }] });
  });
});

describe("a list of steps is refused when it is made", () => {
  const broken: [why: string, steps: Step[], message: string][] = [
    ["it is empty", [], "it has no steps"],
    ["a step waits for none of it", [then(fetch, [hear])], "hear, which is no step of it"],
    [
      "a step waits for a later one",
      [then(fetch, [hear]), then(hear, [])],
      "fetch waits for hear, which does not stand before it",
    ],
    ["a step waits for itself", [then(fetch, [fetch])], "fetch waits for fetch"],
    [
      "two steps wait for each other",
      [then(fetch, [hear]), then(hear, [fetch])],
      "does not stand before it",
    ],
    ["a stage stands in it twice", [then(fetch, []), then(fetch, [])], "fetch stands in it twice"],
    [
      "a stage's name could be that of a variant",
      [then(spec("write.de"), [])],
      "write.de has a dot in its name",
    ],
  ];
  test.each(broken)("because %s", (_why, steps, message) => {
    expect(() => createPipeline("toy", steps)).toThrow(message);
  });

  test("with all that is wrong in one message, which names the kind", () => {
    expect(() => createPipeline("toy", [then(fetch, [hear]), then(fetch, [])])).toThrow(
      "the pipeline toy is broken: fetch waits for hear, which is no step of it, fetch stands in it twice",
    );
  });
});

test("whatever its steps have come to, a request waits for a job or is at its end", () => {
  const pipeline = createPipeline("toy", [
    then(fetch, [], { onSkip: "end" }),
    then(hear, [fetch], { onFailure: "warn", input: () => null }),
    then(write, [fetch, hear], { each: () => ["de", "en"], onFailure: "warn" }),
  ]);
  const ways = [undefined, open, done(), done("y", { postId: POST_ID }), failed, skipped];
  const names = ["fetch", "hear", "write.de", "write.en"];
  let count = 0;
  for (let code = 0; code < ways.length ** names.length; code++) {
    const states: StageStates = Object.fromEntries(
      names.map((name, i) => [name, ways[Math.floor(code / ways.length ** i) % ways.length]]),
    );
    const plan = pipeline.plan(request(), states);
    if (plan.kind !== "steps") continue;
    count++;
    const waits = Object.values(states).some((state) => state?.state === "open");
    expect(waits || plan.steps.length > 0, JSON.stringify(states)).toBe(true);
  }
  expect(count).toBeGreaterThan(100);
});

test("a request without any step to take is at its end at once", () => {
  const pipeline = once(then(fetch, [], { input: () => null }), then(hear, [], { each: () => [] }));
  expect(pipeline.plan(request(), {})).toMatchObject({ kind: "done", postId: null });
});

test("a request about a post that nothing names fails, and ends well where its kind is about none", () => {
  const states = { fetch: done() };
  const about = createPipeline("toy", [then(fetch, [])]);
  expect(about.plan(request(), states)).toMatchObject({ kind: "failed", stage: "plan" });
  expect(once(then(fetch, [])).plan(request(), states)).toMatchObject({ kind: "done" });
  const named = { fetch: done("x", { postId: POST_ID }) };
  expect(about.plan(request(), named)).toMatchObject({ kind: "done", postId: POST_ID });
});

describe("a stage that stands several times", () => {
  const each = ({ outputs }: RequestFacts) => outputs;
  const both = request({ outputs: ["transcript", "summary"] });
  const variant: Partial<Rule> = { each, input: (_progress, name) => ({ id: name }) };
  const pipeline = once(
    then(fetch, []),
    then(write, [fetch], { ...variant, onFailure: "warn" }),
    then(hear, [write], {
      input: ({ output, outputs }) => {
        const found = Object.entries(outputs(write)).map(([name, { id }]) => `${name}=${id}`);
        return { id: [output(write, "summary")?.id, ...found.sort()].join() };
      },
    }),
  );
  const stepsOf = (states: StageStates, facts = both) => {
    const plan = pipeline.plan(facts, states);
    return plan.kind === "steps" ? plan.steps : plan;
  };

  test("is planned once for each variant, all at the same time, under names of their own", () => {
    expect(stepsOf({ fetch: done() })).toEqual([
      {
        step: "write.transcript",
        stage: "write",
        queue: "io",
        key: "key of transcript",
        input: { id: "transcript" },
      },
      {
        step: "write.summary",
        stage: "write",
        queue: "io",
        key: "key of summary",
        input: { id: "summary" },
      },
    ]);
  });

  test("holds the next step back until every variant has ended", () => {
    const states = { fetch: done(), "write.summary": done("s") };
    expect(stepsOf(states)).toMatchObject([{ step: "write.transcript" }]);
    expect(stepsOf({ ...states, "write.transcript": open })).toEqual([]);
  });

  test("gives its outputs by variant, without those that came to nothing", () => {
    const states = { fetch: done(), "write.summary": done("s"), "write.transcript": failed };
    expect(stepsOf(states)).toMatchObject([{ step: "hear", input: { id: "s,summary=s" } }]);
    const all = { ...states, "write.transcript": done("t") };
    expect(stepsOf(all)).toMatchObject([{ input: { id: "s,summary=s,transcript=t" } }]);
  });

  test("warns for each variant that failed, by the name of the stage", () => {
    const ended = { "write.summary": failed, "write.transcript": skipped };
    const { warnings } = stepsOf({ fetch: done(), ...ended, hear: done() }) as {
      warnings: unknown[];
    };
    expect(warnings).toEqual([
      { stage: "write", code: "gone", message: "deleted" },
      { stage: "write", code: "internal", message: "broken" },
    ]);
  });

  test("is left out where no variant is asked for, and the next step is planned", () => {
    const none = request({ outputs: [] });
    expect(stepsOf({ fetch: done() }, none)).toMatchObject([{ step: "hear", input: { id: "" } }]);
  });

  test("stands once for a variant that is named twice", () => {
    const twice = request({ outputs: ["summary", "summary"] });
    expect(stepsOf({ fetch: done() }, twice)).toMatchObject([{ step: "write.summary" }]);
  });

  test("ends the request with the first variant whose failure it does not survive", () => {
    const strict = once(then(write, [], variant));
    const states = { "write.transcript": open, "write.summary": failed };
    expect(strict.plan(both, states)).toMatchObject({ kind: "failed", stage: "write" });
  });

  test("may be one job in two variants", () => {
    const same = once(then(write, [], { each }));
    const plan = same.plan(both, {});
    expect(plan).toMatchObject({
      kind: "steps",
      steps: [{ key: "key of x" }, { key: "key of x" }],
    });
  });
});

describe("what runs again for a new request", () => {
  const { rerun } = createPipelines([once(then(fetch, []))]);
  const job = (more: Partial<EndedJob> = {}): EndedJob => ({
    state: "done",
    input: { id: "x" },
    output: { id: "rich" },
    code: null,
    endedMsAgo: 0,
    isAvailable: () => false,
    ...more,
  });

  test("follows the stage's own rule", () => {
    expect(rerun("fetch", job())).toBe(false);
    expect(rerun("fetch", job({ output: { id: "poor" } }))).toBe(true);
    expect(rerun("fetch", job({ state: "skipped", output: null, code: "gone" }))).toBe(false);
  });

  test("includes what another version stored and this one cannot read", () => {
    expect(rerun("fetch", job({ input: { url: "x" } }))).toBe(true);
    expect(rerun("fetch", job({ output: { text: "x" } }))).toBe(true);
    expect(rerun("fetch", job({ output: null }))).toBe(true);
    expect(rerun("fetch", job({ state: "skipped", code: null }))).toBe(true);
  });

  test("is not for us to say of a stage that we do not know", () => {
    expect(rerun("paint", job({ output: null }))).toBe(false);
  });
});

describe("several kinds", () => {
  const first = createPipeline("one", [then(fetch, []), then(hear, [fetch])]);
  const second = createPipeline("two", [then(fetch, []), then(write, [fetch])], {
    isAboutPost: false,
  });
  const pipelines = createPipelines([first, second]);

  test("are planned by the pipeline of their kind, and one that is unknown by none", () => {
    const states = { fetch: done("x", { postId: POST_ID }) };
    const planned = ["one", "two", "three"].map((kind) =>
      pipelines.plan(request({ kind }), states),
    );
    expect(planned).toMatchObject([
      { kind: "steps", steps: [{ stage: "hear" }] },
      { kind: "steps", steps: [{ stage: "write" }] },
      null,
    ]);
  });

  test("share their stages: each is named once, with all that may follow it in any of them", () => {
    expect(pipelines.stages).toEqual(["fetch", "hear", "write"]);
    expect(pipelines.next("fetch")).toEqual(["hear", "write"]);
    expect(pipelines.next("write")).toEqual([]);
    expect(pipelines.next("paint")).toEqual([]);
  });

  test("are refused where two are of one kind", () => {
    expect(() => createPipelines([first, second, first])).toThrow("two pipelines are of one kind");
  });
});
