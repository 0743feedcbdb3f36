export { findPostgresBinaries, type PostgresBinaries } from "./binaries.ts";
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  findRunningPostgres,
  type RunningPostgres,
  startEmbeddedPostgres,
} from "./embedded-postgres.ts";
