import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { ServiceToken } from "./push-token.ts";

/** What a service node says it is. */
export interface NodeIdentity {
  readonly node: string;
  readonly services: readonly string[];
  /** Tells a process from others of the same name: one that reconnects takes its own place. */
  readonly instance: string;
}

/** What both ends prove to have agreed on. */
export interface Transcript extends NodeIdentity {
  readonly gateway: string;
  readonly nodeNonce: string;
  readonly gatewayNonce: string;
}

/** A number used once, for one handshake. */
export function randomNonce(): string {
  return randomBytes(24).toString("base64url");
}

/** What only an end that knows the token can say, about this handshake and no other. */
export function proofOf(role: "node" | "gateway", transcript: Transcript, secret: string): string {
  const { nodeNonce, gatewayNonce, gateway, node, services, instance } = transcript;
  return createHmac("sha256", secret)
    .update(`gen-api ${role}\n${JSON.stringify([nodeNonce, gatewayNonce, gateway, node, services, instance])}`)
    .digest("base64url");
}

/** Whether a proof is right. Takes as long for any wrong one. */
export function isProof(proof: string, role: "node" | "gateway", transcript: Transcript, secret: string): boolean {
  const expected = Buffer.from(proofOf(role, transcript, secret));
  const given = Buffer.from(proof);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The token with which a node proved itself, or null. All are tried, so that time does not tell which. */
export function provenToken(
  proof: string,
  transcript: Transcript,
  tokens: readonly ServiceToken[],
): ServiceToken | null {
  return tokens.filter(({ secret }) => isProof(proof, "node", transcript, secret))[0] ?? null;
}
