/** The topic of messages about the socket itself. */
export const socketTopic = "phoenix";

/** Every event name that Phoenix Channels reserve, and those about running requests. */
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
  /** Acknowledges chunks of a stream with a window. */
  acknowledge: "ack",
  /** Continues a stream on this channel that began on another one. */
  resume: "resume",
} as const;

/** How a reply ends: the client's `receive("ok", …)` or `receive("error", …)`. */
export type ReplyStatus = "ok" | "error";

/** The close codes of RFC 6455 that the gateway sends; {@link closeCodes.abnormal} it only reports. */
export const closeCodes = {
  /** Disconnected on purpose or token expired; every version of the official client reconnects. */
  goingAway: 1001,
  /** Nothing was received for too long. */
  protocolError: 1002,
  /** The socket ended without a closing handshake. */
  abnormal: 1006,
  /** The client sent more, or more slowly, than the limits allow. */
  policyViolation: 1008,
  /** An invalid frame, or the connection's actor crashed. */
  internalError: 1011,
  /** The gateway stops; reconnect, to another one. */
  serviceRestart: 1012,
  /** The client does not read its messages. */
  tryAgainLater: 1013,
} as const;
