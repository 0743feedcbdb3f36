import type { EngineId } from "@clipmill/domain";
import type { EngineModule } from "../engine-module.ts";
import type { Variables } from "./variables.ts";

/** An engine under certain settings: one module may be there twice, for real and in the sandbox. */
export interface Variant {
  id: EngineId;
  settings: Record<string, unknown>;
}

/** The part of a module that its variants depend on, whatever it provides. */
type Settable = Pick<
  EngineModule<unknown, Record<string, unknown>, never>,
  "settings" | "needs" | "toId" | "toSandbox"
>;

/** With the person's own settings; null where the one that it needs is missing. */
export function findReal(module: Settable, variables: Variables): Variant | null {
  const settings = module.settings.parse(variables);
  if (module.needs !== undefined && settings[module.needs] === undefined) return null;
  return { id: module.toId(settings, { sandbox: false }), settings };
}

/** With the sandbox in its upstream's place; null where none runs, or where it does not know this engine. */
export function findSimulated(module: Settable, variables: Variables): Variant | null {
  const { CLIPMILL_SANDBOX_URL: url } = variables;
  if (url === undefined || module.toSandbox === undefined) return null;
  const settings = module.toSandbox(module.settings.parse(variables), url);
  return { id: module.toId(settings, { sandbox: true }), settings };
}
