export { buildApp } from "./app.ts";
export type { ApiDeps, Health } from "./deps.ts";
export { type Accepting, createAccepting } from "./v1/jobs/accepting.ts";
