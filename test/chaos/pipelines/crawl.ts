import { type ChildSubmission, type RunnableStage, toRunnable } from "@clipmill/domain";
import { createPipeline, step } from "@clipmill/pipeline";
import { z } from "zod";
import { ASK_KIND } from "./ask.ts";
import { defineChaosStage, Made, type Machine } from "./machine.ts";
import { toPostId } from "./post.ts";

export const CRAWL_KIND = "crawl";

/** Of the first level. */
const BRANCHES = 3;
/** Of each of the second. */
const POSTS = 3;
/** Crawls' posts are their own: callers' requests for them have other options, and would pay for them once more. */
const FIRST_POST = 1_000_000;
/** Every so many branches name the same posts, as crawls of one tag do. */
const POST_LISTS = 40;
/** Long enough for many a crawl to be cancelled with what it submitted under way. */
const OPEN_FOR_MS = 3_000;

const CrawlInput = z.object({
  /** A number, or that of the first level with the branch behind it. */
  id: z.string(),
  level: z.union([z.literal(1), z.literal(2)]),
  endsWithParent: z.boolean(),
});
export type CrawlInput = z.infer<typeof CrawlInput>;
const ListOutput = Made.extend({ id: z.string(), submitted: z.number() });
const TallyInput = ListOutput.pick({ id: true });

const list = defineChaosStage(
  { name: "list", queue: "cpu", input: CrawlInput, output: ListOutput },
  ({ id }) => id,
);
const tally = defineChaosStage(
  { name: "tally", queue: "llm", input: TallyInput, output: Made },
  ({ id }) => id,
);

/** Three levels: a crawl submits crawls, these submit posts and a question. Each crawl is open for a while longer. */
export const crawlPipeline = createPipeline(
  CRAWL_KIND,
  [
    step(list, { after: [], input: ({ request }) => CrawlInput.parse(request.input) }),
    step(tally, { after: [list], input: ({ output }) => output(list) ?? null }),
  ],
  { isAboutPost: false },
);

export function createCrawlStages({ call, make }: Machine): RunnableStage[] {
  return [
    toRunnable({
      ...list,
      async run(input, ctx) {
        await call("list", input.id, ctx);
        const submit = input.level === 1 ? toBranches(input) : toLeaves(input);
        return { output: { id: input.id, submitted: submit.length, ...make() }, submit };
      },
    }),
    toRunnable({
      ...tally,
      async run({ id }, ctx) {
        await call("tally", id, ctx);
        if (ctx.expiredToken !== null) return { output: make() };
        // Nobody has an answer to this.
        return { waitFor: { token: `tally ${id}`, timeoutMs: OPEN_FOR_MS } };
      },
    }),
  ];
}

const NO_RECIPES = { source: ["chaos"], asr: [], ocr: [], llm: [] };
const PLAIN = { postId: null, outputs: [], recipes: NO_RECIPES, language: null, credits: 1 };

function toBranches({ id, endsWithParent }: CrawlInput): ChildSubmission[] {
  return Array.from({ length: BRANCHES }, (_, i) => {
    const input: CrawlInput = { id: `${id}.${i}`, level: 2, endsWithParent };
    return {
      ...PLAIN,
      kind: CRAWL_KIND,
      link: `crawl:${input.id}`,
      input,
      endsWithParent,
      // Named by what it is, as the leaves are by their place.
      key: `branch ${i}`,
    };
  });
}

function toLeaves({ id, endsWithParent }: CrawlInput): ChildSubmission[] {
  const [crawl = 0, branch = 0] = id.split(".").map(Number);
  const first = FIRST_POST + ((crawl * BRANCHES + branch) % POST_LISTS) * POSTS;
  const posts = Array.from({ length: POSTS }, (_, i): ChildSubmission => {
    const postId = toPostId("good", first + i);
    return { ...PLAIN, link: postId, postId, outputs: ["summary"], endsWithParent };
  });
  const question = { id: `once-${id}` };
  return [
    ...posts,
    { ...PLAIN, kind: ASK_KIND, link: `ask:${question.id}`, input: question, endsWithParent },
  ];
}
