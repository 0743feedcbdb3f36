/** What is wrong with a database, and what mends it. Holds no part of the URL. */
export interface DatabaseProblem {
  /** A clause without a full stop, such as `there is no such database`. */
  problem: string;
  remedy: string;
  /** True: it may be well again without anybody changing anything, so a program may start and wait for it. */
  mayPass: boolean;
  /** True: all that is wrong is that migrations are missing, which `clipmill up` applies by itself. */
  isBehind?: boolean;
}

/** The same as one sentence about the setting, for a program that does not start because of it. */
export function toDatabaseRefusal({ problem, remedy }: DatabaseProblem): string {
  return `DATABASE_URL: ${problem}. Fix it: ${remedy}`;
}

const EXAMPLE = "postgres://USER:PASSWORD@HOST:5432/NAME, special characters percent-encoded";

/** By SQLSTATE. */
const BY_STATE: Readonly<Record<string, DatabaseProblem>> = {
  "28P01": {
    problem: "the server refuses the user or the password",
    remedy: `correct them: ${EXAMPLE}`,
    mayPass: false,
  },
  "28000": {
    problem: "the server lets this user not in from here (pg_hba.conf), or wants TLS",
    remedy: "allow the user there, or add ?sslmode=require",
    mayPass: false,
  },
  "3D000": {
    problem: "there is no such database",
    remedy: "create it (createdb NAME), or correct the name",
    mayPass: false,
  },
  "42501": {
    problem: "the user may not use or create clipmill's tables",
    remedy:
      "make it the owner: ALTER DATABASE name OWNER TO user, and ALTER SCHEMA public OWNER TO user",
    mayPass: false,
  },
  "25006": toStandbyProblem(),
  "53300": {
    problem: "the server has no connection left",
    remedy: "raise its max_connections, or lower DATABASE_POOL",
    mayPass: true,
  },
  "53100": { problem: "the server's disk is full", remedy: "give it disk space", mayPass: true },
  "57P03": {
    problem: "the server is still starting, or stops",
    remedy: "start again when it is up",
    mayPass: true,
  },
};

export function toStandbyProblem(): DatabaseProblem {
  return {
    problem: "the server is a replica, which takes no writes",
    remedy: "name the primary in DATABASE_URL",
    mayPass: false,
  };
}

/** What the driver says without a code. */
const BY_MESSAGE: readonly [pattern: RegExp, problem: DatabaseProblem][] = [
  [
    /client password must be a/,
    {
      problem: "the server wants a password, and DATABASE_URL has none",
      remedy: `put it into the URL: ${EXAMPLE}`,
      mayPass: false,
    },
  ],
  [
    /does not support SSL/,
    {
      problem: "the server does not speak TLS",
      remedy: "remove sslmode from DATABASE_URL",
      mayPass: false,
    },
  ],
  [
    /^(timeout exceeded|timeout expired|Query read timeout|Connection terminated)/,
    {
      problem: "no answer within 5 s",
      remedy: "see whether it is Postgres, up, and reachable from here",
      mayPass: true,
    },
  ],
];

const CERTIFICATE = /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/** Codes of sockets; files have others. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ETIMEDOUT",
  "EADDRNOTAVAIL",
  "EPIPE",
]);

/** What an error says about the server or this user's place on it; null where it says nothing of the kind. */
export function toDatabaseProblem(error: unknown): DatabaseProblem | null {
  if (error instanceof AggregateError) return toDatabaseProblem(error.errors[0]);
  if (!(error instanceof Error)) return null;
  const code = "code" in error ? String(error.code) : "";
  const known =
    BY_STATE[code] ??
    BY_MESSAGE.find(([pattern]) => code === "" && pattern.test(error.message))?.[1];
  if (known !== undefined) return known;
  if (CERTIFICATE.test(code)) {
    return {
      problem: `the server's certificate is not trusted (${code})`,
      remedy: "add sslrootcert=/path/to/ca.pem, or sslmode=no-verify",
      mayPass: false,
    };
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return {
      problem: `the name of its host is not known (${code})`,
      remedy: "correct the host",
      mayPass: true,
    };
  }
  if (!UNREACHABLE.has(code)) return toDatabaseProblemOf(error.cause);
  return {
    problem: `cannot connect (${code})`,
    remedy: "start it; `clipmill up` without DATABASE_URL brings a server of its own",
    mayPass: true,
  };
}

/** Libraries wrap the driver's error. */
function toDatabaseProblemOf(cause: unknown): DatabaseProblem | null {
  return cause === undefined ? null : toDatabaseProblem(cause);
}
