/** What is wrong with a Redis, and what mends it. */
export interface RedisProblem {
  /** A clause without a full stop, such as `the server wants a password`. Holds no part of the URL. */
  problem: string;
  remedy: string;
  /** True: it may be well again without anybody changing a setting, so a program may start and wait for it. */
  mayPass: boolean;
}

/** The same as one sentence about the setting, for a program that does not start because of it. */
export function toRedisRefusal({ problem, remedy }: RedisProblem): string {
  return `REDIS_URL: ${problem}. Fix it: ${remedy}`;
}

const EXAMPLE = "redis://USER:PASSWORD@HOST:6379, special characters percent-encoded";

/** By the word that Redis puts before each error: its code. */
const BY_REPLY: Readonly<Record<string, RedisProblem>> = {
  NOAUTH: {
    problem: "the server wants a password, and REDIS_URL has none",
    remedy: `put it into the URL: ${EXAMPLE}`,
    mayPass: false,
  },
  WRONGPASS: {
    problem: "the server refuses the user or the password of REDIS_URL",
    remedy: `correct them: ${EXAMPLE}; without a user: redis://:PASSWORD@HOST:6379`,
    mayPass: false,
  },
  DENIED: {
    problem: "the server is in protected mode and serves its own machine only",
    remedy: "give it a password (requirepass) and put that into REDIS_URL",
    mayPass: false,
  },
  READONLY: {
    problem: "the server is a replica, which takes no writes",
    remedy: "name the primary in REDIS_URL",
    mayPass: false,
  },
  CROSSSLOT: toClusterProblem(),
  MOVED: toClusterProblem(),
  CLUSTERDOWN: toClusterProblem(),
  LOADING: {
    problem: "the server is still loading its data",
    remedy: "start again when it is done",
    mayPass: true,
  },
  MASTERDOWN: {
    problem: "the server is a replica that has lost its primary",
    remedy: "name the primary in REDIS_URL",
    mayPass: false,
  },
  OOM: {
    problem: "the server has reached its maxmemory and takes no writes",
    remedy: "give it more memory, or remove what else is in it",
    mayPass: true,
  },
  MISCONF: {
    problem: "the server cannot save to its disk and takes no writes",
    remedy: "give it disk space; its log has the reason",
    mayPass: true,
  },
  NOREPLICAS: {
    problem: "the server has fewer replicas than it wants and takes no writes",
    remedy: "bring its replicas back, or lower min-replicas-to-write",
    mayPass: true,
  },
};

export function toClusterProblem(): RedisProblem {
  return {
    problem:
      "the server is part of a Redis Cluster, where BullMQ's keys would lie on several nodes",
    remedy: "use a server with cluster mode off, or unset REDIS_URL to run on Postgres alone",
    mayPass: false,
  };
}

const START_IT = "start it, or unset REDIS_URL to run on Postgres alone";

const CERTIFICATE = /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/** What an error of the driver says about the server. */
export function toRedisProblem(error: unknown): RedisProblem {
  const message = error instanceof Error ? error.message : "";
  const reply = /^[A-Z]+/.exec(message)?.[0] ?? "";
  const known = BY_REPLY[reply];
  if (known !== undefined) return known;
  if (reply === "NOPERM" || message.includes("user executing the script"))
    return toPermissionProblem(message);
  if (message.includes("undeclared key")) return toUndeclaredKeys();
  if (message.includes("DB index")) return toDatabaseProblem();
  if (message.includes("max number of clients")) {
    return {
      problem: "the server has no connection left",
      remedy: "raise its maxclients, or stop what else is connected",
      mayPass: true,
    };
  }
  if (reply === "ERR") {
    return {
      problem: "the server refuses commands that BullMQ needs",
      remedy: "use Redis or Valkey 6.2 or newer with scripts allowed",
      mayPass: false,
    };
  }
  return toConnectionProblem(error instanceof Error && "code" in error ? String(error.code) : "");
}

function toConnectionProblem(code: string): RedisProblem {
  if (CERTIFICATE.test(code)) {
    return {
      problem: `the server's certificate is not trusted (${code})`,
      remedy:
        "name its authority's certificate in NODE_EXTRA_CA_CERTS, and use the host's full name",
      mayPass: false,
    };
  }
  if (/^ERR_SSL_|^EPROTO$/.test(code)) {
    return {
      problem: `the server does not speak TLS as rediss:// wants it (${code})`,
      remedy: "use redis://, or the server's port for TLS",
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
  if (code === "ECONNRESET" || code === "") {
    return {
      problem: "the server gives no answer, or closes the connection",
      remedy: "see whether it is up; rediss:// is for a server with TLS, redis:// for one without",
      mayPass: true,
    };
  }
  return { problem: `cannot talk to the server (${code})`, remedy: START_IT, mayPass: true };
}

/** Redis names the command that is refused, except to scripts. */
function toPermissionProblem(message: string): RedisProblem {
  const command = /'([\w|-]{1,40})' command/.exec(message)?.[1];
  const lacking = /\bkeys?\b/.test(message) ? "use BullMQ's keys" : "run what BullMQ's scripts run";
  return {
    problem: `the user of REDIS_URL may not ${command === undefined ? lacking : `run ${command.toUpperCase()}`}`,
    remedy: "ACL SETUSER <user> ~<QUEUE_PREFIX>:* +@all -@admin +info",
    mayPass: false,
  };
}

function toUndeclaredKeys(): RedisProblem {
  return {
    problem: "the server's scripts may use only keys that they declare, and BullMQ's use others",
    remedy: "start Dragonfly with --default_lua_flags=allow-undeclared-keys",
    mayPass: false,
  };
}

export function toDatabaseProblem(): RedisProblem {
  return {
    problem: "the server has no database of the number at the end of REDIS_URL",
    remedy: "end it with /0, and keep installations apart by QUEUE_PREFIX",
    mayPass: false,
  };
}
