import { spawn, type StdioOptions } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { ROOT } from "../paths.ts";

export interface ToolRun {
  code: number;
  output: string;
}

/** A tool of node_modules on this Node, in the clone, with the terminal; resolves with its exit code. */
export async function runTool(name: string, args: readonly string[]): Promise<number> {
  return (await start(name, args, "inherit")).code;
}

/** The same without the terminal: its output comes back. */
export function captureTool(name: string, args: readonly string[]): Promise<ToolRun> {
  return start(name, args, "pipe");
}

/** A script of our own on this Node. */
export async function runScript(path: string, args: readonly string[]): Promise<number> {
  return (await run([path, ...args], "inherit")).code;
}

function start(name: string, args: readonly string[], stdio: "inherit" | "pipe"): Promise<ToolRun> {
  return run([join(ROOT, "node_modules/.bin", name), ...args], stdio);
}

function run(args: readonly string[], stdio: "inherit" | "pipe"): Promise<ToolRun> {
  const streams: StdioOptions = stdio === "inherit" ? "inherit" : ["ignore", "pipe", "pipe"];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: streams });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  // The tool gets Ctrl-C from the terminal itself; this process waits for its end.
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGTERM", forward);
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("SIGTERM", forward);
      process.off("SIGINT", ignore);
      resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), output });
    });
  });
}

function ignore(): void {}
