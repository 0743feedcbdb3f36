export { buildApp } from "./app.ts";
export type { ApiDeps, Health } from "./deps.ts";
