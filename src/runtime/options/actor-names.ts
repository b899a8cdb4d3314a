/** The names of the gateway's actors; look them up for each use, because a restart changes the actor. */
export const gatewayActors = {
  rateLimiter: "rate_limiter",
  nodeSelector: "node_selector",
  // The owner of the table of functions has the name by which hosts know the table.
  configCache: "config_cache",
  streams: "streams",
  connections: "connections",
  admin: "admin",
  listener: "listener",
} as const;

/** Those of the part of a gateway that lets service nodes in. */
export const clusterActors = {
  nodes: "nodes",
  nodeMonitor: "node_monitor",
  nodeSessions: "node_sessions",
  nodeTransport: "node_transport",
  configSync: "config_sync",
  configPuller: "config_puller",
  configReceiver: "config_receiver",
} as const;

/** Those of a service node. */
export const nodeActors = {
  gatewaySessions: "gateway_sessions",
  transport: "node_transport",
} as const;

/** Those of the threads of a program, gateway or service node. */
export const poolActors = { workerPools: "worker_pools", asyncPool: "async_pool", streamPool: "stream_pool" } as const;

/** The id, and the name, of the supervisor of what the host program has in the tree. */
export const childrenName = "children";

/** Every name that no actor of the host's can have, in whatever program: it may move from a gateway to a node. */
export const ownNames: ReadonlySet<string> = new Set([
  ...[gatewayActors, clusterActors, nodeActors, poolActors].flatMap((names) => Object.values(names)),
  childrenName,
]);
