import type { Config } from "@clipmill/config";
import { examineEngines, toRecipes } from "@clipmill/providers";
import { type Finding, missing, note, ok } from "./finding.ts";
import { examineDirectories, examineFfmpeg, examinePort } from "./machine.ts";
import { examineQueue, examineRecord } from "./servers.ts";

/** Everything that clipmill depends on as it is set up here. A line is a tick only if what it names was tried. */
export async function examine(config: Config): Promise<Finding[]> {
  const directories = await examineDirectories(config);
  const hasTemporary = directories.every(
    ({ name, status }) => name !== "TMPDIR" || status !== "missing",
  );
  const [record, queue, ffmpeg, engines, port] = await Promise.all([
    examineRecord(config),
    examineQueue(config),
    examineFfmpeg(config),
    hasTemporary
      ? examineAllEngines(config)
      : [note("engines", "not looked at: they need TMPDIR", "mend TMPDIR first")],
    examinePort(config),
  ]);
  return [
    ok("Node", process.versions.node),
    ...record,
    queue,
    ...directories,
    ffmpeg,
    ...engines,
    port,
  ];
}

/** The demo runs without any of them: the sandbox and recorded texts stand in. What is set and does not work is missing. */
async function examineAllEngines(config: Config): Promise<Finding[]> {
  const lists = examineLists(config);
  const lines = await examineEngines(config);
  const engines = lines.map(({ name, found, without, advice, isWanted = false }) => {
    if (found !== null) return ok(name, found);
    return isWanted ? missing(name, without, advice) : note(name, without, advice);
  });
  return [...lists, ...engines];
}

/** A list of engines that names an unknown one stops every start; without a source no link can work. */
function examineLists(config: Config): Finding[] {
  try {
    const { source } = toRecipes(config);
    const hasSandbox = config.CLIPMILL_SANDBOX !== "off";
    return source.length > 0 || hasSandbox
      ? []
      : [
          missing(
            "sources of posts",
            "none: links fail, files work",
            "set TIKLIVE_API_KEY, or POST_SOURCES=ytdlp",
          ),
        ];
  } catch (error) {
    // It begins with the name of the variable.
    const [, variable = "engines", rest = ""] =
      /^(\w+):? (.*)/s.exec((error as Error).message) ?? [];
    return [missing(variable, rest, "correct the list")];
  }
}
