import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ERROR_CODES } from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");

interface Source {
  path: string;
  /** Without comments, which may name anything. */
  code: string;
}

function readSources(...patterns: string[]): Source[] {
  return globSync(patterns, { cwd: ROOT })
    .filter((path) => !path.endsWith(".test.ts") && !path.includes("node_modules"))
    .map((path) => ({
      path: relative(ROOT, join(ROOT, path)),
      code: withoutComments(readFileSync(join(ROOT, path), "utf8")),
    }));
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*(\/\/|--).*$/gm, "");
}

const find = (sources: readonly Source[], findIn: (code: string) => string[]) =>
  sources.flatMap(({ path, code }) => findIn(code).map((what) => `${path}: ${what}`));

const STATES = "packages/db/src/work/states.ts";

/** Statements that give a stage job a state without a transition. */
function findStateWrites(code: string): string[] {
  const updates = code.matchAll(
    /update stage_job\b[^`]*?\bset\b([\s\S]*?)(?=\s(?:from|where|returning)\s|`)/g,
  );
  const inserts = code.matchAll(/insert into stage_job\b[^(]*\(([^)]*)\)/g);
  return [
    ...[...updates]
      .map(([, assignments = ""]) => assignments.replaceAll(/ended\(\{[\s\S]*?\}\)/g, "ended()"))
      .filter((assignments) => /\bstate\s*[=:]/.test(assignments)),
    ...[...inserts]
      .map(([, columns = ""]) => columns)
      .filter((columns) => /\bstate\b/.test(columns)),
    ...(code.match(/\b(update|insert)\(\s*stageJob\b/g) ?? []),
  ].map((found) => found.trim().split("\n")[0] ?? "");
}

describe("the state of a stage job", () => {
  const sources = readSources("packages/*/src/**/*.ts", "apps/*/src/**/*.ts");

  test("is written by the transitions of one file and nowhere else", () => {
    expect(sources.filter(({ code }) => code.includes("update stage_job")).length).toBeGreaterThan(
      5,
    );
    expect(
      find(
        sources.filter(({ path }) => path !== STATES),
        findStateWrites,
      ),
    ).toEqual([]);
  });

  test("is written by an update that uses a transition, or one that leaves it alone", () => {
    const updates = sources.flatMap(({ path, code }) =>
      [...code.matchAll(/update stage_job\b[^`]*?\bset\s+(\S+)/g)].map(([, first = ""]) => ({
        path,
        first,
      })),
    );
    const others = updates.filter(({ first }) => !first.startsWith("${toSet("));
    expect(others).toEqual([
      // Moves an open job to a better place.
      { path: "packages/db/src/work/place/place-jobs.ts", first: "${PLACE}" },
      { path: "packages/db/src/work/place/place-jobs.ts", first: "tenant" },
    ]);
  });

  test.each([
    "`update stage_job set state = 'done' where id = $1`",
    "`with x as (select 1) update stage_job j\n set lane = 1, state = x.state from x`",
    "`update stage_job j set ${toSet(RETURNED, { state: \"'done'\" })} from x`",
    "`insert into stage_job (stage, state, key) values ('a', 'done', 'b')`",
    "db.update(stageJob).set({ state: 'done' })",
  ])("is found where it is written otherwise: %s", (code) => {
    expect(findStateWrites(code)).toHaveLength(1);
  });

  test("may be asked for", () => {
    const code = "`update stage_job j set lane = 1 from x where j.state = 'ready'`";
    expect(findStateWrites(code)).toEqual([]);
  });
});

const literals = (names: readonly string[]) => (code: string) => {
  const any = new RegExp(`["'](${names.join("|")})["']`, "g");
  return [...code.matchAll(any)].map(([, name = ""]) => name);
};

describe("the engine knows no stage", () => {
  const engine = readSources("packages/db/src/**/*.ts", "packages/queue/src/**/*.ts");

  test("by its name", () => {
    expect(engine.length).toBeGreaterThan(60);
    expect(pipelines.stages.length).toBeGreaterThan(4);
    // `resolve` is a stage of posts and a method of the record, too.
    const withoutTypes = (code: string) => code.replaceAll(/\b(Pick|Omit)<[^>]*>/g, "");
    const namesIn = (code: string) => literals(pipelines.stages)(withoutTypes(code));
    expect(find(engine, namesIn)).toEqual([]);
    expect(namesIn("j.stage = 'download'")).toEqual(["download"]);
  });

  test("by a field of what goes into it or comes out", () => {
    const fields = (code: string) => [
      ...(code.match(/\b(input|output)"?\s*(->|#>|\?\s*')/g) ?? []),
      ...(code.match(/\b(job|step|outcome|row|end)\??\.(input|output)\??\.\w+/g) ?? []),
    ];
    expect(find(engine, fields)).toEqual([]);
    expect(fields("select j.output ->> 'postId' from stage_job j")).toHaveLength(1);
    expect(fields("if (job.output.engine === 'x') {}")).toHaveLength(1);
  });

  /** Codes that the engine itself must know, whatever its stages do. */
  const OWN_CODES: Readonly<Record<string, string>> = {
    poison: "a job that crashed its worker too often",
    cancelled: "an end by the caller, and the state of that name",
    deadline_missed: "an end by the clock",
    timeout: "a stage over its limit",
    internal: "a failure that says nothing of itself",
    insufficient_credits: "the ledger refuses",
    idempotency_conflict: "a key with another body",
    invalid_request: "a kind without a pipeline, a cursor of nobody's",
    invalid_input: "a token that another job waits for",
    bad_response: "a result that Postgres refuses",
    unavailable: "Postgres, or a place in the line for it",
    engine_unavailable: "a stage that no worker knows",
    no_worker: "a queue that nobody serves",
    tenant_stopped: "a tenant that may run nothing",
  };
  /** Codes that the limiter finds in an upstream's answer, or throws at callers that wait for it. */
  const LIMITER_CODES: Readonly<Record<string, string>> = {
    throttled: "the upstream's pushback",
    rate_limited: "our own rate is used up",
    paused: "the breaker is open",
    provider_key: "a pause until a person acts",
    provider_balance: "a pause until a person acts",
    upstream_unavailable: "a failure for the breaker",
    blocked: "a failure for the breaker",
    timeout: "a failure for the breaker",
  };

  test("by the codes that it ends with, but for those of its own", () => {
    const isLimiter = ({ path }: Source) => path.startsWith("packages/queue/src/limits/");
    const codesBut = (own: object) =>
      literals(Object.keys(ERROR_CODES).filter((code) => !Object.hasOwn(own, code)));
    expect(
      find(
        engine.filter((source) => !isLimiter(source)),
        codesBut(OWN_CODES),
      ),
    ).toEqual([]);
    expect(find(engine.filter(isLimiter), codesBut(LIMITER_CODES))).toEqual([]);
  });

  test("and every exception is still needed", () => {
    const used = new Set(engine.flatMap(({ code }) => literals(Object.keys(ERROR_CODES))(code)));
    const own = [...Object.keys(OWN_CODES), ...Object.keys(LIMITER_CODES)];
    expect(own.filter((code) => !used.has(code))).toEqual([]);
  });
});
