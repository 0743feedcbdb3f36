import type { Command } from "commander";
import { loadCliConfig } from "../load-cli-config.ts";
import { toPrintable } from "../printable.ts";
import type { ResolvedLink } from "../run/resolver.ts";

export function addResolveCommand(program: Command): void {
  program
    .command("resolve")
    .description("Say which post each link stands for; exit code 1 if one stands for none.")
    .argument("<links...>", "links, ids or share texts; short links are followed")
    .option("--json", "print one JSON object a line")
    .action(resolve);
}

async function resolve(links: string[], { json = false }: { json?: boolean }): Promise<void> {
  const config = loadCliConfig();
  const { createResolver, findShortLinkHost } = await import("../run/resolver.ts");
  const resolver = createResolver(() => findShortLinkHost(config));
  try {
    for (const link of links) {
      const found = await resolver.resolve(link);
      if ("code" in found) process.exitCode = 1;
      console.log(json ? toJson(found) : toLine(found));
    }
  } finally {
    await resolver.close();
  }
}

function toJson(found: ResolvedLink): string {
  const { link } = found;
  return JSON.stringify(
    "code" in found
      ? { link, code: found.code }
      : { link, aweme_id: found.awemeId, kind: found.kind },
  );
}

function toLine(found: ResolvedLink): string {
  const link = toPrintable(found.link);
  return "code" in found
    ? `${link}: ${toPrintable(found.message)} (${found.code})`
    : `${link}: ${found.awemeId} (${found.kind})`;
}
