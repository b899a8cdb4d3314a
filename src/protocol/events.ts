/** The topic of messages about the socket itself. */
export const socketTopic = "phoenix";

/** Every event name that Phoenix Channels reserve, and the two that requests are ended with. */
export const events = {
  heartbeat: "heartbeat",
  join: "phx_join",
  leave: "phx_leave",
  reply: "phx_reply",
  close: "phx_close",
  error: "phx_error",
  /** Ends a running sync or async call. */
  cancel: "cancel",
  /** Ends a running stream. */
  stopStream: "stop_stream",
} as const;

/** How a reply ends: the client's `receive("ok", …)` or `receive("error", …)`. */
export type Status = "ok" | "error";

/** The close codes of RFC 6455 that the gateway sends; {@link closeCodes.abnormal} it only reports. */
export const closeCodes = {
  /** Disconnected on purpose or token expired; every version of the official client connects again. */
  goingAway: 1001,
  /** Nothing was received for too long. */
  protocolError: 1002,
  /** The socket ended without a closing handshake. */
  abnormal: 1006,
  /** A frame that is not a message, or the connection's actor died. */
  internalError: 1011,
  /** The gateway stops; connect again, to another. */
  serviceRestart: 1012,
  /** The client does not read what it is sent. */
  tryAgainLater: 1013,
} as const;
