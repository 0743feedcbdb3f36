/** The part of a pino logger that the rooms use. The message is a constant; data is in fields. */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  /** State changed. */
  info(fields: Record<string, unknown>, message: string): void;
  /** A human may look tomorrow. */
  warn(fields: Record<string, unknown>, message: string): void;
  /** A human should look now. */
  error(fields: Record<string, unknown>, message: string): void;
  child(fields: Record<string, unknown>): Log;
}
