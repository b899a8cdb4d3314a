/**
 * The client that some work belongs to. Clients share threads, queues, links and memory: their use is counted, and
 * turns are taken, by share. There is one object for each connection, so that it can be a key.
 */
export interface Share {
  /** The user, across all connections; for an anonymous client its network. Equal text means the same identity. */
  readonly identity: string;
  /** The connection's id. Unique in this process. */
  readonly connection: string;
}

/**
 * The host program's own work, and all work that belongs to no client. It takes turns as a client does and has no
 * limits.
 */
export const hostShare: Share = Object.freeze({ identity: "host", connection: "host" });

/**
 * The share of a connection.
 *
 * @param userId null or empty for an anonymous client
 * @param network the network of its address, null if unknown
 * @param connection the connection's id
 */
export function shareOf(userId: string | null | undefined, network: string | null, connection: string): Share {
  // The prefixes keep a user from having the name of a network or of the host.
  return { identity: userId ? `user ${userId}` : `network ${network ?? "unknown"}`, connection };
}
