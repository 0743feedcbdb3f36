/** Why the embedded server does not start. The message is for the person who must act: it says what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
}
