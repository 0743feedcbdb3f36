import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "./paths.ts";

const papers = globSync(["*.md", "{apps,packages}/*/*.md", "test/*.md"], { cwd: ROOT }).sort();
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

/** What a link such as `[x](y.md#part)` leads to, but for other sites. */
function findLinks(text: string): string[] {
  return [...text.matchAll(/\]\(([^)#\s]*)(?:#[^)]*)?\)/g)]
    .map(([, path = ""]) => path)
    .filter((path) => path !== "" && !path.startsWith("https:"));
}

/** Paths from the root that stand in the text as code, but for those with a place to fill in, such as `<name>`. */
function findPaths(text: string): string[] {
  return [
    ...text.matchAll(/`((?:apps|packages|test|migrations)\/[\w./-]+|[\w-]+\.yml|\.ci\/run)`/g),
  ].map(([, path = ""]) => path);
}

describe.each(papers)("%s", (paper) => {
  const text = readFileSync(join(ROOT, paper), "utf8");

  test("leads to files that exist", () => {
    const links = findLinks(text).map((path) => join(dirname(paper), path));
    const dead = [...links, ...findPaths(text)].filter((path) => !existsSync(join(ROOT, path)));
    expect(dead).toEqual([]);
  });

  test("names scripts of package.json only", () => {
    const named = [...text.matchAll(/\bnpm run (?:-s )?([\w:]+)/g)].map(([, name = ""]) => name);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
  });
});

test("each package and app has its page", () => {
  const folders = globSync(["{apps,packages}/*/package.json"], { cwd: ROOT }).map(dirname);
  for (const folder of folders) expect(papers).toContain(join(folder, "README.md"));
  expect(papers).toEqual(expect.arrayContaining(["CHANGELOG.md", "CONTRIBUTING.md"]));
});

test("the states in packages/db/README.md are those of states.ts", () => {
  const source = readFileSync(join(ROOT, "packages/db/src/work/states.ts"), "utf8");
  const diagram = /^ \*   planned[\s\S]*?(?=^ \*$)/m.exec(source)?.[0] ?? "none";
  const page = readFileSync(join(ROOT, "packages/db/README.md"), "utf8");
  expect(page).toContain(diagram.replaceAll(/^ \* {0,3}/gm, ""));
});
