export { findPostgresBinaries } from "./binaries.ts";
export { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
export {
  type EmbeddedPostgres,
  findRunningPostgres,
  startEmbeddedPostgres,
} from "./embedded-postgres.ts";
