import { type GenApiError, libraryError } from "../../core/errors.ts";
import { protocolVersion } from "../wire/node-protocol.ts";
import { encodeMessage, type HandshakeMessage, parseMessage } from "./handshake-messages.ts";
import { isProof, type NodeIdentity, proofOf, provenToken, type Transcript } from "./proof.ts";
import { forbiddenServices, isOpen, type ServiceToken } from "./push-token.ts";

/** How often both ends of a session send a sign of life. */
export interface HeartbeatRule {
  /** After this many milliseconds without other messages, a heartbeat is sent. */
  readonly heartbeatMs: number;
  /** After this many such intervals of silence, the other end is considered dead. */
  readonly missed: number;
}

/** What a gateway's handshake needs. */
export interface GatewayHandshakeOptions extends HeartbeatRule {
  readonly gateway: string;
  readonly tokens: readonly ServiceToken[];
  readonly isLoopback: boolean;
  /** The only name the node can have, if the transport knows it. */
  readonly peerName?: string | undefined;
  readonly nonce: string;
  /** How many unconsumed chunks of a stream the node may send. */
  readonly streamWindow: number;
}

/** The gateway's reaction to a message of the handshake. */
export type GatewayStep =
  | { readonly kind: "send"; readonly message: Uint8Array }
  /** The node is who it claims to be; `welcome` lets it in. */
  | { readonly kind: "proven"; readonly identity: NodeIdentity; readonly welcome: Uint8Array };

/** The gateway's half of the handshake: decides what to say and what to believe; sends nothing itself. */
export class GatewayHandshake {
  readonly #options: GatewayHandshakeOptions;
  #hello: HandshakeMessage<"hello"> | null = null;

  constructor(options: GatewayHandshakeOptions) {
    this.#options = options;
  }

  /** The name that the node claimed, if it has. */
  get claimed(): string | null {
    return this.#hello?.node ?? null;
  }

  /**
   * @throws GenApiError the reason to refuse the node: `invalid_request`, `unauthenticated`, or `permission_denied` for
   * a service that its token does not allow
   */
  received(bytes: Uint8Array): GatewayStep {
    return this.#hello === null ? this.#challenge(bytes) : this.#prove(bytes, this.#hello);
  }

  #challenge(bytes: Uint8Array): GatewayStep {
    const { gateway, nonce, tokens, isLoopback, peerName } = this.#options;
    const hello = parseMessage(bytes, "hello");
    this.#hello = hello;
    if (peerName !== undefined && hello.node !== peerName) {
      throw libraryError("permission_denied", `The node ${hello.node} sends as ${peerName}, and can be no other`);
    }
    if (isOpen(tokens) && !isLoopback) throw needsToken();
    return { kind: "send", message: encodeMessage({ type: "challenge", gateway, nonce }) };
  }

  #prove(bytes: Uint8Array, { node, services, instance, nonce }: HandshakeMessage<"hello">): GatewayStep {
    const { gateway, nonce: gatewayNonce, tokens, heartbeatMs, missed, streamWindow } = this.#options;
    const transcript: Transcript = { node, services, instance, gateway, nodeNonce: nonce, gatewayNonce };
    const token = provenToken(parseMessage(bytes, "proof").mac, transcript, tokens);
    if (token === null) throw libraryError("unauthenticated", `The node ${node} has no token that this gateway knows`);
    const forbidden = forbiddenServices(token, services);
    if (forbidden.length > 0) {
      const names = forbidden.map((service) => JSON.stringify(service)).join(", ");
      throw libraryError("permission_denied", `The token of the node ${node} does not allow the services ${names}`);
    }
    const mac = proofOf("gateway", transcript, token.secret);
    const welcome = encodeMessage({ type: "welcome", mac, heartbeatMs, missed, streamWindow });
    return { kind: "proven", identity: { node, services, instance }, welcome };
  }
}

/** The message that refuses a node. */
export function refusal({ code, message }: GenApiError): Uint8Array {
  return encodeMessage({ type: "refused", code, reason: message.slice(0, 1_000) });
}

/** What a node's handshake needs. */
export interface NodeHandshakeOptions extends NodeIdentity {
  readonly token: string | null;
  readonly isLoopback: boolean;
  readonly nonce: string;
}

/** The node's reaction to a message of the handshake. */
export type NodeStep =
  | { readonly kind: "send"; readonly message: Uint8Array }
  /** The gateway has let the node in and has proven its identity. */
  | ({ readonly kind: "welcome"; readonly gateway: string; readonly streamWindow: number } & HeartbeatRule);

/** The node's half of the handshake, see {@link GatewayHandshake}. */
export class NodeHandshake {
  readonly #options: NodeHandshakeOptions;
  #transcript: Transcript | null = null;

  constructor(options: NodeHandshakeOptions) {
    this.#options = options;
  }

  /** @throws GenApiError `unauthenticated` without a token, off this machine */
  hello(): Uint8Array {
    const { node, services, instance, nonce, token, isLoopback } = this.#options;
    if (token === null && !isLoopback) throw needsToken();
    return encodeMessage({ type: "hello", version: protocolVersion, node, services: [...services], instance, nonce });
  }

  /** @throws GenApiError the gateway's refusal; `unauthenticated` if it has not proven its identity */
  received(bytes: Uint8Array): NodeStep {
    return this.#transcript === null ? this.#prove(bytes) : this.#welcomed(bytes, this.#transcript);
  }

  #prove(bytes: Uint8Array): NodeStep {
    const challenge = parseMessage(bytes, "challenge", "refused");
    if (challenge.type === "refused") throw libraryError(challenge.code, challenge.reason);
    const { node, services, instance, nonce } = this.#options;
    const { gateway, nonce: gatewayNonce } = challenge;
    this.#transcript = { node, services, instance, gateway, nodeNonce: nonce, gatewayNonce };
    return {
      kind: "send",
      message: encodeMessage({ type: "proof", mac: proofOf("node", this.#transcript, this.#options.token ?? "") }),
    };
  }

  #welcomed(bytes: Uint8Array, transcript: Transcript): NodeStep {
    const welcome = parseMessage(bytes, "welcome", "refused");
    if (welcome.type === "refused") throw libraryError(welcome.code, welcome.reason);
    const { mac, heartbeatMs, missed, streamWindow } = welcome;
    if (!isProof(mac, "gateway", transcript, this.#options.token ?? "")) {
      throw libraryError("unauthenticated", `The gateway ${transcript.gateway} has not proven that it knows the token`);
    }
    return { kind: "welcome", gateway: transcript.gateway, heartbeatMs, missed, streamWindow };
  }
}

function needsToken(): GenApiError {
  return libraryError(
    "unauthenticated",
    "Without a pushToken gateways and service nodes speak only on one machine; give both the same",
  );
}
